//! What was typed.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;
use onboarding::{AccountName, PartnerName, State};

use crate::settings::{tables::is_name, tokens::Scope};

/// Turns signups into working SIP trunks on Exotel, one trunk each, whatever is killed meanwhile.
#[derive(Debug, Parser)]
#[command(
    name = "trunkline",
    version,
    max_term_width = 100,
    arg_required_else_help = true,
    after_help = "Exit status: 0 done; 1 ran, but something is left failed or blocked; 2 bad input or\n\
                  configuration, nothing changed.\n\n\
                  Try it without an account:  trunkline onboard examples/signups.csv --sandbox"
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The heading of the options that every command takes.
const GLOBAL: &str = "Everywhere";

/// What every command takes.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Global {
    /// Settings file [default: trunkline.toml, if it is there]
    #[arg(long, global = true, help_heading = GLOBAL, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,
    /// Where onboardings are kept [default: sqlite:trunkline.db, with --sandbox sqlite:trunkline.sandbox.db]
    #[arg(long, global = true, help_heading = GLOBAL, value_name = "URL")]
    pub(crate) store: Option<String>,
    /// The Exotel accounts [default: accounts.toml]
    #[arg(long, global = true, help_heading = GLOBAL, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) accounts: Option<PathBuf>,
    /// Folder of recipes; they add to the built-in ones and override them
    #[arg(long, global = true, help_heading = GLOBAL, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) recipes: Option<PathBuf>,
    /// Form of the log on stderr [default: text]
    #[arg(long, global = true, help_heading = GLOBAL, value_name = "FORM")]
    pub(crate) log: Option<LogForm>,
    /// Print records as JSON Lines on stdout
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub(crate) json: bool,
}

/// The form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogForm {
    /// One JSON object a line
    Json,
    /// For people
    Text,
}

impl LogForm {
    /// Its name in settings.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Text => "text",
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Enqueue signups, work until all of them are finished, print the summary
    Onboard(Onboard),
    /// Validate signups; show steps, requests and the time they will take
    ///
    /// What the store has accepted already costs nothing and is left out of requests and time; a
    /// key that it has with other content is a problem. Chosen trunk names are compared with the
    /// store's when signups are accepted. Nothing is changed and no store is made.
    Plan(Plan),
    /// Accept signups and leave them to a worker
    Enqueue(Enqueue),
    /// Work on what was accepted, until SIGTERM
    Work(Work),
    /// Take signups over HTTP and by webhook, and show how they fare
    ///
    /// The API is described at /openapi.json, the dashboard is at /. It accepts and shows; a worker
    /// beside it (`trunkline work`) does what was accepted.
    Serve(Serve),
    /// Show where one onboarding stands, or how many are in which state
    Status(Status),
    /// List onboardings in the order in which they were accepted
    List(List),
    /// Try failed or cancelled onboardings again; what was done stays done
    Retry(Retry),
    /// Call onboardings off; what they left on Exotel's side stays there
    Cancel(Cancel),
    /// Show what the partner's side needs, and what a person still has to do
    Handoff(Handoff),
    /// Compare onboardings with what Exotel has
    Verify(Verify),
    /// List, check, park or resume the Exotel accounts
    #[command(subcommand)]
    Accounts(Accounts),
    /// List, show, check or write recipes
    #[command(subcommand)]
    Recipes(Recipes),
    /// Move everything to another store
    #[command(subcommand)]
    Store(Store),
    /// Make or list the tokens that let others in over HTTP
    #[command(subcommand)]
    Tokens(Tokens),
    /// Look at what a worker needs, and say what is wrong and what to do
    Doctor(Doctor),
    /// Ask a running server or worker whether it is ready, for health checks
    Probe(Probe),
    /// Run the Exotel simulator
    Sandbox(Sandbox),
    /// Print a completion script for a shell
    Completions(Completions),
    /// Print the manual page, or write one per command
    Man(Man),
}

/// Signups to read.
#[derive(Debug, Args)]
pub(crate) struct Input {
    /// Signups: CSV with a header, JSON Lines or one JSON array; - is stdin
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) files: Vec<PathBuf>,
}

/// Where requests go.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct World {
    /// Use the built-in Exotel simulator; accounts that no file names are made up
    #[arg(long)]
    pub(crate) sandbox: bool,
}

impl Command {
    /// Whether it is about the built-in simulator.
    pub(crate) fn is_sandbox(&self) -> bool {
        match self {
            Self::Onboard(Onboard { world, .. })
            | Self::Plan(Plan { world, .. })
            | Self::Enqueue(Enqueue { world, .. })
            | Self::Work(Work { world, .. })
            | Self::Serve(Serve { world, .. })
            | Self::Verify(Verify { world, .. })
            | Self::Accounts(
                Accounts::List(AccountsList { world })
                | Accounts::Check(AccountsCheck { world, .. }),
            ) => world.sandbox,
            Self::Status(Status { of, .. })
            | Self::List(List { of, .. })
            | Self::Retry(Retry { of, .. })
            | Self::Cancel(Cancel { of, .. })
            | Self::Handoff(Handoff { of, .. })
            | Self::Doctor(Doctor { of, .. })
            | Self::Accounts(
                Accounts::Park(AccountsPark { of, .. })
                | Accounts::Resume(AccountsResume { of, .. }),
            ) => of.sandbox,
            Self::Recipes(_)
            | Self::Store(_)
            | Self::Tokens(_)
            | Self::Probe(_)
            | Self::Sandbox(_)
            | Self::Completions(_)
            | Self::Man(_) => false,
        }
    }
}

impl World {
    /// The store's world that it means.
    pub(crate) fn kind(self) -> store::World {
        if self.sandbox {
            store::World::Sandbox
        } else {
            store::World::Live
        }
    }
}

/// Which store is looked into.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct StoreOf {
    /// Use the store of the built-in simulator, where --store and the settings name none
    #[arg(long)]
    pub(crate) sandbox: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Onboard {
    #[command(flatten)]
    pub(crate) input: Input,
    #[command(flatten)]
    pub(crate) world: World,
    /// Write each handoff to DIR/ID.json, mode 0600, passwords included
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Plan {
    #[command(flatten)]
    pub(crate) input: Input,
    #[command(flatten)]
    pub(crate) world: World,
}

#[derive(Debug, Args)]
pub(crate) struct Enqueue {
    #[command(flatten)]
    pub(crate) input: Input,
    #[command(flatten)]
    pub(crate) world: World,
}

#[derive(Debug, Args)]
pub(crate) struct Work {
    /// Onboardings in hand at once
    #[arg(long, value_name = "N")]
    pub(crate) concurrency: Option<u32>,
    /// Stop when nothing is left to run
    #[arg(long)]
    pub(crate) drain: bool,
    #[command(flatten)]
    pub(crate) world: World,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Address to serve on; port 0 takes a free one [default: 127.0.0.1:8484]
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<std::net::SocketAddr>,
    #[command(flatten)]
    pub(crate) world: World,
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    /// An onboarding's id or key
    pub(crate) id: Option<String>,
    #[command(flatten)]
    pub(crate) of: StoreOf,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only in this state
    #[arg(long, value_name = "STATE", value_parser = parse_state)]
    pub(crate) state: Option<State>,
    /// Only of this partner
    #[arg(long, value_name = "PARTNER")]
    pub(crate) partner: Option<PartnerName>,
    /// Only of this account
    #[arg(long, value_name = "ACCOUNT")]
    pub(crate) account: Option<AccountName>,
    #[command(flatten)]
    pub(crate) of: StoreOf,
}

fn parse_state(text: &str) -> Result<State, String> {
    text.parse::<State>().map_err(|error| error.to_string())
}

#[derive(Debug, Args)]
pub(crate) struct Retry {
    /// Ids or keys of onboardings
    #[arg(
        value_name = "ID",
        required_unless_present = "all",
        conflicts_with = "all"
    )]
    pub(crate) ids: Vec<String>,
    /// Every failed onboarding; with --replace-credentials every one that failed as `credentials_live`
    #[arg(long)]
    pub(crate) all: bool,
    /// Replace credentials that are in use with a password that this store does not have
    ///
    /// Only for onboardings that failed as `credentials_live`. The partner's calls fail from then on
    /// until it has the new handoff. Asks first on a terminal.
    #[arg(long)]
    pub(crate) replace_credentials: bool,
    /// Do not ask before credentials are replaced
    #[arg(long, requires = "replace_credentials")]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) of: StoreOf,
}

#[derive(Debug, Args)]
pub(crate) struct Cancel {
    /// Ids or keys of onboardings
    #[arg(value_name = "ID", required = true)]
    pub(crate) ids: Vec<String>,
    #[command(flatten)]
    pub(crate) of: StoreOf,
}

#[derive(Debug, Args)]
pub(crate) struct Handoff {
    /// Ids or keys of onboardings
    #[arg(value_name = "ID", required = true)]
    pub(crate) ids: Vec<String>,
    /// Show SIP passwords instead of ********
    #[arg(long)]
    pub(crate) show_secrets: bool,
    #[command(flatten)]
    pub(crate) of: StoreOf,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// Ids or keys of onboardings
    #[arg(
        value_name = "ID",
        required_unless_present = "all",
        conflicts_with = "all"
    )]
    pub(crate) ids: Vec<String>,
    /// Every succeeded onboarding
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) world: World,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Accounts {
    /// List the accounts, whether they are parked and how much of their allowance is used
    List(AccountsList),
    /// Send one cheap read per account: proves key, token and region
    Check(AccountsCheck),
    /// Park accounts: nothing is sent to them until a person resumes them
    Park(AccountsPark),
    /// Let parked and closed accounts go on, once the cause is removed
    Resume(AccountsResume),
}

#[derive(Debug, Args)]
pub(crate) struct AccountsList {
    #[command(flatten)]
    pub(crate) world: World,
}

#[derive(Debug, Args)]
pub(crate) struct AccountsCheck {
    /// Names of accounts [default: all]
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<AccountName>,
    #[command(flatten)]
    pub(crate) world: World,
}

#[derive(Debug, Args)]
pub(crate) struct AccountsPark {
    /// Names of accounts
    #[arg(value_name = "NAME", required = true)]
    pub(crate) names: Vec<AccountName>,
    /// Why, for whoever looks at them
    #[arg(long, value_name = "TEXT", default_value = "parked by a person")]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) of: StoreOf,
}

#[derive(Debug, Args)]
pub(crate) struct AccountsResume {
    /// Names of accounts
    #[arg(
        value_name = "NAME",
        required_unless_present = "all",
        conflicts_with = "all"
    )]
    pub(crate) names: Vec<AccountName>,
    /// Every parked or closed account
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) of: StoreOf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Recipes {
    /// List the partners
    List,
    /// Show a recipe's file
    Show(RecipesShow),
    /// Check recipes and report every problem with its line
    Check(RecipesCheck),
    /// Write a commented recipe to begin with
    New(RecipesNew),
    /// Print the JSON Schema of recipes, for editors
    Schema,
}

#[derive(Debug, Args)]
pub(crate) struct RecipesShow {
    /// The partner
    pub(crate) name: PartnerName,
}

#[derive(Debug, Args)]
pub(crate) struct RecipesCheck {
    /// Recipe files [default: the built-in ones and those of --recipes]
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) files: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct RecipesNew {
    /// The partner's name in signups: small letters, digits, _ and -
    pub(crate) name: PartnerName,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// The store was restored from a backup: read everything that is not finished back at Exotel
    /// before it is written
    ///
    /// For what is not noticed by itself: a machine or a disk that was set back as a whole, or a
    /// Redis that lost what it had answered. Stop the workers first. It costs requests, and every
    /// account waits for a minute.
    #[arg(long)]
    pub(crate) restored: bool,
    #[command(flatten)]
    pub(crate) of: StoreOf,
}

#[derive(Debug, Args)]
pub(crate) struct Probe {
    /// Where it listens [default: the setting listen]
    #[arg(value_name = "ADDR")]
    pub(crate) address: Option<std::net::SocketAddr>,
    /// A worker, where its settings say that it listens
    #[arg(long, conflicts_with = "address")]
    pub(crate) worker: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Tokens {
    /// Make a token and print it, once, with the table that lets it in
    New(TokensNew),
    /// List the tokens of the settings file
    List,
}

#[derive(Debug, Args)]
pub(crate) struct TokensNew {
    /// Its name in logs: 1 to 64 letters, digits, _ or -
    #[arg(value_name = "NAME", value_parser = parse_name)]
    pub(crate) name: String,
    /// What it may do
    #[arg(long, value_name = "SCOPE", default_value = "read")]
    pub(crate) scope: Scope,
}

fn parse_name(text: &str) -> Result<String, String> {
    if is_name(text) {
        Ok(text.to_owned())
    } else {
        Err("use 1 to 64 letters, digits, _ or -".into())
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Store {
    /// Copy a store to an empty one and close the first: from one file to a fleet's Redis
    ///
    /// Stop the workers of FROM first. It is closed from the beginning, and TO until the end, so that
    /// nothing is run by both; looking at either stays possible. Killed and run again it goes on
    /// where it was. FROM can be kept as a backup; it says where it was moved to.
    Copy(StoreCopy),
}

#[derive(Debug, Args)]
pub(crate) struct StoreCopy {
    /// The store to leave, a URL as --store takes it
    #[arg(value_name = "FROM")]
    pub(crate) from: String,
    /// The store to go to, empty
    #[arg(value_name = "TO")]
    pub(crate) to: String,
}

#[derive(Debug, Args)]
pub(crate) struct Sandbox {
    /// Address to serve on; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub(crate) listen: std::net::SocketAddr,
    /// Which world to show where documents and field reports differ
    #[arg(long, value_name = "PROFILE", default_value = "field")]
    pub(crate) profile: Profile,
    /// Requests that any window accepts per account
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub(crate) requests_per_minute: u32,
    /// Connections open at once per account
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) connections: u32,
    /// Length of the window in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 60_000, value_parser = clap::value_parser!(u64).range(1..=3_600_000))]
    pub(crate) window_ms: u64,
    /// Round trip to add to every request, in milliseconds: a value or a range such as 50-250
    #[arg(long, value_name = "MS", value_parser = parse_latency)]
    pub(crate) latency_ms: Option<(u64, u64)>,
    /// Seed of the latency's draw
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Keep the resources in this file, so that they outlive the process
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) journal: Option<PathBuf>,
    /// Serve on an address that is not loopback; the controls have no password
    #[arg(long, action = ArgAction::SetTrue)]
    pub(crate) allow_remote: bool,
}

/// Longest round trip that the simulator adds: more than any client waits.
const LATENCY_MAX_MS: u64 = 600_000;

fn parse_latency(text: &str) -> Result<(u64, u64), String> {
    let (least, most) = text.split_once('-').unwrap_or((text, text));
    match (least.trim().parse::<u64>(), most.trim().parse::<u64>()) {
        (Ok(least), Ok(most)) if least <= most && most <= LATENCY_MAX_MS => Ok((least, most)),
        _ => Err(format!(
            "write milliseconds up to {LATENCY_MAX_MS}, such as 100, or a range with the least first, such as 50-250"
        )),
    }
}

/// The simulator's worlds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Profile {
    /// As people who called live accounts report it
    Field,
    /// As Exotel's API reference says it
    Documented,
}

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    pub(crate) shell: Shell,
}

#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Write one page per command to this folder
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) out: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_latency_is_a_value_or_a_range() {
        assert_eq!(parse_latency("100"), Ok((100, 100)));
        assert_eq!(parse_latency("50-250"), Ok((50, 250)));
        for bad in ["", "-", "250-50", "1-", "x", "600001", "-5"] {
            assert!(parse_latency(bad).is_err(), "{bad}");
        }
    }
}

//! The `trunkline` command: it parses, wires and prints; what it does is in the other crates.

mod account_record;
mod accounts;
mod args;
mod background;
mod batch;
mod commands;
mod confirm;
mod endpoints;
mod error;
mod exit;
mod handoff_folder;
mod late_checks;
mod lookup;
mod newcomers;
mod open_files;
mod output;
mod problem;
mod progress;
mod recipe_files;
mod reloading;
mod secret_source;
mod serving;
mod settings;
mod signals;
mod signups;
mod simulator;
mod store_place;
mod store_wait;
mod telemetry;
mod toml_file;
mod unreadable;
mod worker_listener;
mod worker_run;

use std::process::ExitCode;

use clap::{
    Parser,
    error::{ContextKind, ContextValue},
};

use onboarding::visible::visible;

use crate::{
    args::{Accounts, Cli, Command},
    error::{Error, Result},
    exit::Exit,
    output::Output,
    settings::{Settings, Typed},
};

/// A worker makes and drops many short texts; this allocator takes a tenth of its processor time
/// less than the platform's (docs/benchmarks.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::try_parse().unwrap_or_else(|error| shown(only_typos(error)).exit());
    let mut output = Output::new(cli.global.json);
    // Also for mistakes in the settings, which say it otherwise.
    telemetry::speak(settings::log_form_asked(&cli.global));
    let exit = run(&cli, &mut output).unwrap_or_else(|error| {
        match &error {
            Error::Refused(problems) => output.problems(problems),
            Error::Away { .. } | Error::Failed(_) => telemetry::fatal(&error.to_string()),
        }
        error.exit()
    });
    let written = output.end();
    if written { exit } else { exit.max(Exit::Left) }.into()
}

/// Suggests a command only for one that differs from it in one place: `offboard` is no slip of
/// `onboard`, which does the opposite.
fn only_typos(mut error: clap::Error) -> clap::Error {
    const KIND: ContextKind = ContextKind::SuggestedSubcommand;
    if let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidSubcommand).cloned()
        && let Some(ContextValue::Strings(mut similar)) = error.remove(KIND)
    {
        similar.retain(|name| strsim::damerau_levenshtein(name, &typed) == 1);
        if !similar.is_empty() {
            error.insert(KIND, ContextValue::Strings(similar));
        }
    }
    error
}

/// Shows what was typed as other text is shown.
fn shown(mut error: clap::Error) -> clap::Error {
    let mut typed = Vec::new();
    for (kind, value) in error.context() {
        if let ContextValue::String(text) = value {
            typed.push((kind, ContextValue::String(visible(text).into_owned())));
        }
    }
    for (kind, text) in typed {
        error.insert(kind, text);
    }
    error
}

fn run(cli: &Cli, output: &mut Output) -> Result<Exit> {
    // These need no settings, so a mistake in them does not stand in the way.
    if let Command::Completions(args) = &cli.command {
        return Ok(commands::completions::run(args, output));
    }
    if let Command::Man(args) = &cli.command {
        return commands::man::run(args, output);
    }
    let settings = Settings::load(&cli.global, &typed(&cli.command))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::failed("the runtime cannot be started", &error))?;
    let traces = if is_traced(&cli.command) {
        telemetry::traces(&settings, runtime.handle())?
    } else {
        None
    };
    telemetry::start(settings.log, &settings.log_level, traces.as_ref())?;
    let exit = runtime.block_on(async {
        signals::outlive_file_limit()
            .map_err(|error| Error::failed("no signal handler", &error))?;
        let exit = dispatch(&cli.command, &settings, output).await;
        if let Some(traces) = traces {
            traces.end().await;
        }
        exit
    });
    // A thread that reads standard input may never end.
    runtime.shutdown_background();
    exit
}

/// Whether the command does what traces are of.
fn is_traced(command: &Command) -> bool {
    matches!(
        command,
        Command::Onboard(_) | Command::Enqueue(_) | Command::Work(_) | Command::Serve(_)
    )
}

/// What the command's own options say of settings.
fn typed(command: &Command) -> Typed {
    let mut typed = Typed {
        sandbox: command.is_sandbox(),
        ..Typed::default()
    };
    if let Command::Work(work) = command {
        typed.concurrency = work.concurrency;
    }
    if let Command::Serve(serve) = command {
        typed.listen = serve.listen;
    }
    typed
}

async fn dispatch(command: &Command, settings: &Settings, output: &mut Output) -> Result<Exit> {
    let ended = match command {
        Command::Onboard(args) => commands::onboard::run(args, settings, output).await,
        Command::Plan(args) => commands::plan::run(args, settings, output).await,
        Command::Enqueue(args) => commands::enqueue::run(args, settings, output).await,
        Command::Work(args) => commands::work::run(args, settings, output).await,
        Command::Serve(args) => commands::serve::run(args, settings, output).await,
        Command::Status(args) => commands::status::run(args, settings, output).await,
        Command::List(args) => commands::list::run(args, settings, output).await,
        Command::Retry(args) => commands::retry::run(args, settings, output).await,
        Command::Cancel(args) => commands::cancel::run(args, settings, output).await,
        Command::Handoff(args) => commands::handoff::run(args, settings, output).await,
        Command::Verify(args) => commands::verify::run(args, settings, output).await,
        Command::Accounts(args) => commands::accounts::run(args, settings, output).await,
        Command::Recipes(args) => commands::recipes::run(args, settings, output),
        Command::Store(args) => commands::store_copy::run(args, settings, output).await,
        Command::Tokens(args) => commands::tokens::run(args, settings, output),
        Command::Doctor(args) => commands::doctor::run(args, settings, output).await,
        Command::Probe(args) => commands::probe::run(args, settings, output),
        Command::Sandbox(args) => commands::sandbox::run(args, output).await,
        Command::Completions(args) => Ok(commands::completions::run(args, output)),
        Command::Man(args) => commands::man::run(args, output),
    };
    ended.map_err(|error| error.or_then(where_away(command)))
}

/// What it means for a command that its store went away after it was opened.
fn where_away(command: &Command) -> &'static str {
    match command {
        Command::Onboard(_) => {
            "what was accepted stays; run the same again: nothing is accepted or made twice"
        }
        Command::Enqueue(_) => {
            "whether the signups were accepted is not known; run the same again: none is accepted twice"
        }
        Command::Work(_) => "start the worker again: it goes on where this one was",
        Command::Serve(_) => "what was accepted stays; start it again",
        Command::Retry(_)
        | Command::Cancel(_)
        | Command::Doctor(_)
        | Command::Accounts(Accounts::Resume(_)) => {
            "whether all was done is not known; look with `trunkline status`, and run the same again for the rest"
        }
        Command::Store(_) => "run the same again: it goes on where it was",
        Command::Plan(_)
        | Command::Status(_)
        | Command::List(_)
        | Command::Handoff(_)
        | Command::Verify(_)
        | Command::Accounts(_)
        | Command::Recipes(_)
        | Command::Tokens(_)
        | Command::Probe(_)
        | Command::Sandbox(_)
        | Command::Completions(_)
        | Command::Man(_) => "the store was not changed",
    }
}

//! With real files.

use std::{
    fs,
    io::Write,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use clap::Parser;
use producer::Accounts as ForSignups;
use tempfile::TempDir;
use tracing_subscriber::fmt::MakeWriter;

use super::*;
use crate::{args::Cli, settings::Typed};

/// A folder with an accounts file and a folder of recipes.
struct Place(TempDir);

impl Place {
    fn new(accounts: &[&str]) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        fs::create_dir(place.recipes()).unwrap();
        place.write_accounts(accounts);
        place
    }

    fn accounts(&self) -> PathBuf {
        self.0.path().join("accounts.toml")
    }

    fn recipes(&self) -> PathBuf {
        self.0.path().join("recipes")
    }

    fn write_accounts(&self, names: &[&str]) {
        fs::write(self.accounts(), accounts(names)).unwrap();
    }

    fn write_recipe(&self, name: &str) {
        let text = Recipe::template(&name.parse().unwrap());
        fs::write(self.recipes().join(format!("{name}.toml")), text).unwrap();
    }

    fn settings(&self) -> Settings {
        let (accounts, recipes) = (self.accounts(), self.recipes());
        let typed = [
            "trunkline".as_ref(),
            "--accounts".as_ref(),
            accounts.as_os_str(),
            "--recipes".as_ref(),
            recipes.as_os_str(),
            "list".as_ref(),
        ];
        let cli = Cli::parse_from(typed);
        Settings::load(&cli.global, &Typed::default()).unwrap()
    }

    fn load(&self) -> Reloading {
        Reloading::load(&self.settings(), false).unwrap()
    }
}

/// An accounts file. Everything in it is made up.
fn accounts(names: &[&str]) -> String {
    let each = names.iter().map(|name| {
        format!(
            "[accounts.{name}]\naccount_sid = \"{name}1\"\nregion = \"in\"\napi_key = {{ env = \"KEY\" }}\napi_token = {{ env = \"TOKEN\" }}\n"
        )
    });
    each.collect()
}

/// Looks twice: what changed is taken once it rests.
fn look(own: &Reloading) {
    own.look();
    own.look();
}

fn names(own: &Reloading) -> Vec<String> {
    let names = AccountBook::names(own);
    names.iter().map(ToString::to_string).collect()
}

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// What is logged while `f` runs.
    fn of(f: impl FnOnce()) -> String {
        let log = Self::default();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(log.clone())
            .with_ansi(false)
            .finish();
        tracing::subscriber::with_default(subscriber, f);
        String::from_utf8(log.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(text)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Log {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

#[test]
fn an_account_that_is_added_is_known_and_one_that_is_removed_is_not() {
    let place = Place::new(&["acme", "globex"]);
    let own = place.load();
    let before = own.desk();
    place.write_accounts(&["acme", "initech"]);
    let log = Log::of(|| look(&own));
    assert_eq!(names(&own), ["acme", "initech"]);
    assert!(AccountBook::find(&own, &"initech".parse().unwrap()).is_some());
    assert!(AccountBook::find(&own, &"globex".parse().unwrap()).is_none());
    let known = |names: [&str; 2]| ForSignups::Known(names.map(|n| n.parse().unwrap()).into());
    assert_eq!(own.desk().accounts(), &known(["acme", "initech"]));
    // Whoever is at work goes on with what it began with.
    assert_eq!(before.accounts(), &known(["acme", "globex"]));
    assert!(log.contains("added initech; removed globex"), "{log}");
    assert!(!log.contains("initech1"), "{log}");
}

#[test]
fn a_file_that_becomes_wrong_changes_nothing_and_every_problem_is_logged_once() {
    let place = Place::new(&["acme"]);
    let own = place.load();
    let wrong =
        accounts(&["acme", "globex"]) + "colour = \"red\"\n[accounts.x]\nregion = \"mars\"\n";
    fs::write(place.accounts(), wrong).unwrap();
    let log = Log::of(|| look(&own));
    for told in [
        "ERROR",
        "accounts.globex.colour",
        "accounts.x.region",
        "accounts.x.account_sid",
        "still in use",
    ] {
        assert!(log.contains(told), "{told}: {log}");
    }
    assert_eq!(names(&own), ["acme"]);
    assert_eq!(Log::of(|| look(&own)), "");
    fs::remove_file(place.accounts()).unwrap();
    let log = Log::of(|| look(&own));
    assert!(log.contains("cannot be read"), "{log}");
    assert_eq!(names(&own), ["acme"]);
    place.write_accounts(&["globex"]);
    look(&own);
    assert_eq!(names(&own), ["globex"]);
}

#[test]
fn a_file_that_is_still_being_written_is_not_read() {
    let place = Place::new(&["acme", "globex"]);
    let own = place.load();
    // As far as it goes it is right.
    place.write_accounts(&["acme"]);
    own.look();
    assert_eq!(names(&own), ["acme", "globex"]);
    place.write_accounts(&["acme", "globex", "initech"]);
    own.look();
    assert_eq!(names(&own), ["acme", "globex"]);
    own.look();
    assert_eq!(names(&own), ["acme", "globex", "initech"]);
}

#[test]
fn another_file_of_the_same_length_and_time_under_the_same_name_is_read() {
    let place = Place::new(&["acme"]);
    let own = place.load();
    let written = fs::metadata(place.accounts()).unwrap().modified().unwrap();
    let draft = place.0.path().join("draft");
    fs::write(&draft, accounts(&["emca"])).unwrap();
    let file = fs::File::options().write(true).open(&draft).unwrap();
    file.set_modified(written).unwrap();
    fs::rename(&draft, place.accounts()).unwrap();
    look(&own);
    assert_eq!(names(&own), ["emca"]);
}

#[test]
fn what_is_left_alone_is_not_read_again() {
    let place = Place::new(&["acme"]);
    let own = place.load();
    let before = own.now();
    assert_eq!(Log::of(|| look(&own)), "");
    assert!(Arc::ptr_eq(&before, &own.now()));
}

#[test]
fn recipes_come_change_and_go_with_their_files_and_the_accounts_stay() {
    let place = Place::new(&["acme"]);
    let own = place.load();
    let built_in = own.desk().book().iter().count();
    place.write_recipe("newvoice");
    let log = Log::of(|| look(&own));
    assert!(log.contains("added newvoice"), "{log}");
    let newvoice = "newvoice".parse().unwrap();
    assert!(own.desk().book().get(&newvoice).is_some());
    fs::write(place.recipes().join("newvoice.toml"), "schema = 1\n").unwrap();
    let log = Log::of(|| look(&own));
    assert!(
        log.contains("ERROR") && log.contains("newvoice.toml"),
        "{log}"
    );
    assert!(own.desk().book().get(&newvoice).is_some());
    fs::remove_file(place.recipes().join("newvoice.toml")).unwrap();
    let log = Log::of(|| look(&own));
    assert!(log.contains("removed newvoice"), "{log}");
    assert_eq!(own.desk().book().iter().count(), built_in);
    assert_eq!(names(&own), ["acme"]);
}

#[test]
fn accounts_are_taken_in_while_the_recipes_are_wrong() {
    let place = Place::new(&["acme"]);
    let own = place.load();
    fs::write(place.recipes().join("newvoice.toml"), "schema = 1\n").unwrap();
    place.write_accounts(&["globex"]);
    look(&own);
    assert_eq!(names(&own), ["globex"]);
}

#[test]
fn in_the_sandbox_any_account_goes_and_the_file_may_come_later() {
    let place = Place::new(&["acme"]);
    let mut settings = place.settings();
    settings.accounts_named = false;
    fs::remove_file(place.accounts()).unwrap();
    let own = Reloading::load(&settings, true).unwrap();
    assert_eq!(own.desk().accounts(), &ForSignups::Any);
    assert!(AccountBook::find(&own, &"made-up".parse().unwrap()).is_some());
    place.write_accounts(&["acme"]);
    look(&own);
    assert_eq!(names(&own), ["acme"]);
    assert_eq!(own.desk().accounts(), &ForSignups::Any);
}

#[tokio::test]
async fn a_change_is_taken_in_by_itself() {
    let place = Place::new(&["acme"]);
    let own = Arc::new(place.load());
    let watching = tokio::spawn(Arc::clone(&own).watch_every(Duration::from_millis(5)));
    place.write_accounts(&["acme", "globex"]);
    let taken = async {
        while names(&own).len() < 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), taken)
        .await
        .unwrap();
    watching.abort();
    assert!(watching.await.unwrap_err().is_cancelled());
}

//! Replacing credentials that are in use is asked about on a terminal.

use std::{
    ffi::OsStr,
    fs::{self, File, OpenOptions},
    io::{Read, Write},
    os::unix::ffi::OsStrExt,
    process::Stdio,
};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::home::{Home, Ran, Simulator, finish, live};

const ONE: &str = "account,partner,number,key,direction\nacme,retell,+918000000001,one,outbound\n";

/// A terminal: the side of its user, and that of the program.
fn terminal() -> (File, File) {
    let user = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&user).unwrap();
    unlockpt(&user).unwrap();
    let name = ptsname(&user, Vec::new()).unwrap();
    let path = OsStr::from_bytes(name.as_bytes());
    let program = OpenOptions::new().read(true).write(true).open(path);
    (user.into(), program.unwrap())
}

/// Runs it on a terminal on which this is typed. Gives what was shown there, too.
fn typed(home: &Home, args: &[&str], answer: &str) -> (Ran, String) {
    let (mut user, program) = terminal();
    let mut command = home.command(args);
    command
        .stdin(Stdio::from(program.try_clone().unwrap()))
        .stderr(Stdio::from(program));
    user.write_all(answer.as_bytes()).unwrap();
    let child = command.spawn().unwrap();
    // Its ends of the terminal are the only ones left.
    drop(command);
    let ran = finish(child);
    let mut shown = Vec::new();
    // Ends with an error where nobody is on the other side any more.
    let _ = user.read_to_end(&mut shown);
    (ran, String::from_utf8(shown).unwrap())
}

#[test]
fn credentials_in_use_are_replaced_only_once_a_person_says_yes() {
    let home = live();
    let simulator = Simulator::start(&home, &[]);
    home.accounts_at(&simulator, &["acme"])
        .write("one.csv", ONE);
    home.run(&["onboard", "one.csv"]).ends(0);
    for name in home.files() {
        if name.starts_with("trunkline.db") {
            fs::remove_file(home.path(&name)).unwrap();
        }
    }
    home.run(&["onboard", "one.csv"]).ends(1);
    let state = || {
        let own = home.run(&["--json", "status", "one"]).ends(0);
        own.of_type("onboarding")[0]["state"].clone()
    };
    let command = ["retry", "--all", "--replace-credentials"];
    for no in ["n\n", "\n", "yesterday\n"] {
        let (ran, shown) = typed(&home, &command, no);
        let ran = ran.ends(1);
        assert_eq!(ran.stdout, "");
        assert!(
            shown.contains("calls on them fail from then on until it has the new handoff"),
            "{shown}"
        );
        assert!(shown.contains("nothing was changed"), "{shown}");
        assert_eq!(state(), "failed");
    }
    let (ran, _) = typed(&home, &command, "y\n");
    assert!(ran.ends(0).stdout.contains("replaces its credentials"));
    assert_eq!(state(), "queued");
}

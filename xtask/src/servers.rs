//! The Redis servers that tests start, and what moves a program's clock: installed where there is
//! none.
//!
//! One on the `PATH`, and, for what Redis 7.2 brought (`WAITAOF`), a later one where the system's
//! is older. The tests start them on ports and in folders of their own.

use std::{
    env,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The oldest that Trunkline works with.
const OLDEST: (u32, u32) = (7, 0);
/// The first with `WAITAOF`.
const WAITAOF: (u32, u32) = (7, 2);
/// The Debian release whose server is taken where the system's has no `WAITAOF`.
const RELEASE: &str = "trixie";

/// Debian's package of the library that tells a program another time.
const CLOCK: &str = "libfaketime";

/// Installs what is missing. Without a newer server some tests have nothing to do, which is said
/// and is no failure.
pub(crate) fn install() -> Result<(), String> {
    let usual = match env::var_os("TRUNKLINE_TEST_REDIS") {
        Some(program) => version(&program)
            .ok_or("TRUNKLINE_TEST_REDIS names a program that does not tell its version")?,
        None => on_path()?,
    };
    if usual < OLDEST {
        return Err(format!(
            "the tests need a redis-server of version {}.{} or later, and this one is {}.{}: \
             install a later one, or name one in TRUNKLINE_TEST_REDIS",
            OLDEST.0, OLDEST.1, usual.0, usual.1
        ));
    }
    if usual < WAITAOF
        && env::var_os("TRUNKLINE_TEST_REDIS_NEWER").is_none()
        && let Err(why) = install_newer()
    {
        eprintln!(
            "xtask: the tests of WAITAOF are left out, for want of a redis-server 7.2 or later: \
             {why}. TRUNKLINE_TEST_REDIS_NEWER can name one."
        );
    }
    install_clock()
}

fn install_clock() -> Result<(), String> {
    let there = |folder: fs::DirEntry| folder.path().join("faketime/libfaketime.so.1").exists();
    if fs::read_dir("/usr/lib").is_ok_and(|mut all| all.any(|it| it.is_ok_and(there))) {
        return Ok(());
    }
    apt_install(CLOCK).map_err(|why| {
        format!("the tests of clocks that are set need libfaketime and there is none: {why}")
    })
}

/// The version of the server on the `PATH`, which is installed where there is none.
fn on_path() -> Result<(u32, u32), String> {
    let server = OsStr::new("redis-server");
    if let Some(version) = version(server) {
        return Ok(version);
    }
    let missing = |why: String| {
        format!(
            "the tests need a redis-server and there is none on the PATH: {why}. Install Redis 7 \
             or later, or name one in TRUNKLINE_TEST_REDIS"
        )
    };
    apt_install("redis-server").map_err(missing)?;
    version(server).ok_or_else(|| missing("the one that was installed does not start".to_owned()))
}

/// `Redis server v=7.0.15 ...`
fn version(program: &OsStr) -> Option<(u32, u32)> {
    let output = Command::new(program).arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (_, version) = text.split_once(" v=")?;
    let mut numbers = version.split('.').map(|part| part.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

/// As root, or by a `sudo` that asks nothing.
pub(crate) fn apt_install(package: &str) -> Result<(), String> {
    let before: &[&str] = if is_root() { &[] } else { &["sudo", "-n"] };
    // Runlevel 1: the package does not start a server that nobody asked for.
    let apt = [
        "env",
        "RUNLEVEL=1",
        "DEBIAN_FRONTEND=noninteractive",
        "apt-get",
    ];
    let run = |arguments: &[&str]| run(&[before, &apt, arguments].concat());
    let install = ["install", "-y", "--no-install-recommends", package];
    // The lists may be old or missing: then they are fetched and it is tried again.
    run(&install).or_else(|_| run(&["update"]).and_then(|()| run(&install)))
}

/// The server of a later Debian release in a tree of its own under `target`, made once.
fn install_newer() -> Result<(), String> {
    let tree = servers().join(RELEASE);
    if tree.join("usr/bin/redis-server").is_file() {
        return Ok(());
    }
    if !is_root() {
        return Err("only root can make the tree that holds one".to_owned());
    }
    if Command::new("debootstrap")
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_err()
    {
        apt_install("debootstrap")?;
    }
    // Under another name until it is whole: half a tree is made anew.
    let part = servers().join(format!("{RELEASE}.part"));
    remove(&part)?;
    remove(&tree)?;
    fs::create_dir_all(&part).map_err(|error| format!("{}: {error}", part.display()))?;
    let place = part.display().to_string();
    run(&[
        "debootstrap",
        "--variant=minbase",
        "--include=redis-server",
        RELEASE,
        &place,
    ])?;
    fs::rename(&part, &tree).map_err(|error| format!("{}: {error}", tree.display()))
}

fn remove(tree: &Path) -> Result<(), String> {
    match fs::remove_dir_all(tree) {
        Err(error) if tree.exists() => Err(format!("{}: {error}", tree.display())),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Where `redis_fixture` looks too.
fn servers() -> PathBuf {
    target().join("test-servers")
}

/// Where cargo builds.
pub(crate) fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"),
        PathBuf::from,
    )
}

fn is_root() -> bool {
    Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// Runs a program that may say much; told only where it fails.
pub(crate) fn run(words: &[&str]) -> Result<(), String> {
    let line = words.join(" ");
    eprintln!("xtask: {line}");
    let output = Command::new(words[0])
        .args(&words[1..])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("`{line}` cannot be started: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let last = said.trim_end().lines().next_back().unwrap_or_default();
    Err(format!("`{line}` failed: {last}"))
}

//! A copy of the checkout that Compose runs under a name of its own, and commands with a bound on their time.

use std::{
    fs::{self, File},
    io::Read,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::{command, read};
use crate::{
    compose::{FILE, PAGE},
    servers::target,
};

/// Between two looks at something that is waited for.
const LOOKS: Duration = Duration::from_millis(300);
/// What an engine may take to say that it is there.
const ANSWERS: Duration = Duration::from_secs(30);
/// What taking everything away may take.
const REMOVING: Duration = Duration::from_secs(180);
/// Profiles of all containers that may be there.
const ALL: &str = "--profile http --profile sandbox --profile intake --profile sandbox-intake";

/// Whether an engine and Compose answer.
pub(super) fn is_there() -> Result<(), String> {
    let mut info = Command::new("docker");
    info.arg("info").stdin(Stdio::null()).process_group(0);
    let child = info.stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let mut child = child.map_err(|error| format!("docker: {error}"))?;
    let status = ended(&mut child, ANSWERS).map_err(|why| format!("`docker info` {why}"))?;
    if status.success() {
        return Ok(());
    }
    let mut said = String::new();
    if let Some(mut err) = child.stderr.take() {
        let _ = err.read_to_string(&mut said);
    }
    let last = said.trim().lines().last().unwrap_or("it failed");
    Err(format!("`docker info`: {last}"))
}

/// Looks until it is so.
pub(super) fn until(
    what: &str,
    at_most: Duration,
    mut look: impl FnMut() -> Result<bool, String>,
) -> Result<(), String> {
    let began = Instant::now();
    loop {
        let last = look();
        if last == Ok(true) {
            return Ok(());
        }
        if began.elapsed() > at_most {
            let why = last.err().map_or(String::new(), |why| format!(": {why}"));
            return Err(format!("within {at_most:?} it was not so that {what}{why}"));
        }
        thread::sleep(LOOKS);
    }
}

/// The copy, with what makes it different from every other.
pub(super) struct Copy {
    folder: PathBuf,
    project: String,
    page: String,
    port: u16,
    subnet: String,
    gateway: String,
}

impl Copy {
    /// Copies the files that git knows or would take in, without any rights for others, as a clone made
    /// under the umask 027 has them.
    pub(super) fn make() -> Result<Self, String> {
        let id = std::process::id();
        let project = format!("trunkline-walk-{id}");
        let folder = target().join("containers").join(&project);
        let listed = Command::new("git")
            .args([
                "ls-files",
                "-z",
                "--cached",
                "--others",
                "--exclude-standard",
            ])
            .output()
            .map_err(|error| format!("git: {error}"))?;
        let names = String::from_utf8_lossy(&listed.stdout).into_owned();
        for name in names.split('\0').filter(|name| Path::new(name).is_file()) {
            let to = folder.join(name);
            let copied = to.parent().map_or(Ok(()), fs::create_dir_all);
            let copied = copied.and_then(|()| fs::copy(name, &to));
            copied.map_err(|error| format!("{}: {error}", to.display()))?;
        }
        close(&folder)?;
        // A range for the copy alone, away from the one that the file names.
        let part = 85 + id % 170;
        let copy = Self {
            page: read(&folder.join(PAGE))?,
            folder,
            port: free_port()?,
            subnet: format!("10.211.{part}.0/24"),
            gateway: format!("10.211.{part}.1"),
            project,
        };
        let file = copy.read(FILE)?;
        copy.write(
            FILE,
            &file.replace(
                "image: trunkline:0.1.0",
                &format!("image: {}", copy.image()),
            ),
        )?;
        Ok(copy)
    }

    fn image(&self) -> String {
        format!("trunkline:{}", self.project)
    }

    /// What a person needs to know who breaks it off.
    pub(super) fn described(&self) -> String {
        format!(
            "project {}; broken off, it is removed by `docker compose -p {} down --volumes` in {}",
            self.project,
            self.project,
            self.folder.display()
        )
    }

    pub(super) fn project(&self) -> &str {
        &self.project
    }

    pub(super) fn gateway(&self) -> &str {
        &self.gateway
    }

    /// Where the port of `serve` is published.
    pub(super) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    pub(super) fn read(&self, name: &str) -> Result<String, String> {
        read(&self.folder.join(name))
    }

    pub(super) fn write(&self, name: &str, text: &str) -> Result<(), String> {
        let path = self.folder.join(name);
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// A file that only its owner reads.
    pub(super) fn write_secret(&self, name: &str, text: &str) -> Result<(), String> {
        self.write(name, text)?;
        let path = self.folder.join(name);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))
            .map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Runs the command of the page that begins so.
    pub(super) fn step(&self, start: &str, at_most: Duration) -> Result<String, String> {
        self.run(&command(&self.page, start)?, at_most)
    }

    /// Runs a command line in the copy, and says so; what it prints to stdout.
    pub(super) fn run(&self, line: &str, at_most: Duration) -> Result<String, String> {
        eprintln!("xtask: {line}");
        self.ask(line, at_most)
    }

    /// The same without a word, for what is asked again and again.
    pub(super) fn ask(&self, line: &str, at_most: Duration) -> Result<String, String> {
        let (out, err) = (self.folder.join(".out"), self.folder.join(".err"));
        let make = |path: &Path| {
            File::create(path).map_err(|error| format!("{}: {error}", path.display()))
        };
        let mut shell = Command::new("sh");
        shell
            .args(["-c", line])
            .current_dir(&self.folder)
            .env("COMPOSE_PROJECT_NAME", &self.project)
            .env("TRUNKLINE_PORT", self.port.to_string())
            .env("TRUNKLINE_SUBNET", &self.subnet)
            .env("TRUNKLINE_GATEWAY", &self.gateway)
            .stdin(Stdio::null())
            .stdout(make(&out)?)
            .stderr(make(&err)?)
            // Of its own, so that all of it can be ended.
            .process_group(0);
        for name in [
            "TRUNKLINE_USER",
            "TRUNKLINE_WORKERS",
            "SIGNUPS",
            "COMPOSE_FILE",
            "COMPOSE_PROFILES",
        ] {
            shell.env_remove(name);
        }
        let mut child = shell.spawn().map_err(|error| format!("sh: {error}"))?;
        let status = ended(&mut child, at_most).map_err(|why| format!("`{line}` {why}"))?;
        if status.success() {
            return read(&out);
        }
        let said = read(&out)? + &read(&err)?;
        let last: Vec<&str> = said.trim().lines().rev().take(15).collect();
        let last: Vec<&str> = last.into_iter().rev().collect();
        Err(format!("`{line}` failed ({status}):\n{}", last.join("\n")))
    }

    /// The containers of the project, as `docker ps` lists them with these options.
    pub(super) fn containers(&self, options: &str) -> Result<String, String> {
        self.ask(&format!("docker ps {options} {}", self.filter()), REMOVING)
    }

    pub(super) fn networks(&self) -> Result<String, String> {
        self.ask(
            &format!("docker network ls --quiet {}", self.filter()),
            REMOVING,
        )
    }

    fn filter(&self) -> String {
        format!("--filter label=com.docker.compose.project={}", self.project)
    }

    /// What the containers said last.
    pub(super) fn show_logs(&self) {
        let logs = format!("docker compose {ALL} logs --no-color --tail 15");
        match self.run(&logs, REMOVING) {
            Ok(text) => eprintln!("{text}"),
            Err(why) => eprintln!("xtask: no logs: {why}"),
        }
    }

    /// Takes away what was made: containers, networks, volumes, the image's name, the folder.
    pub(super) fn remove(&self) -> Result<(), String> {
        let down = format!("docker compose {ALL} down --volumes --remove-orphans --timeout 5");
        let _ = self.run(&down, REMOVING)?;
        let image = self.image();
        let there = format!("docker image inspect {image}");
        if self.ask(&there, REMOVING).is_ok() {
            let _ = self.run(&format!("docker image rm --force {image}"), REMOVING)?;
        }
        fs::remove_dir_all(&self.folder)
            .map_err(|error| format!("{}: {error}", self.folder.display()))
    }
}

fn ended(child: &mut Child, at_most: Duration) -> Result<ExitStatus, String> {
    let began = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Ok(None) if began.elapsed() < at_most => thread::sleep(LOOKS / 3),
            Ok(None) => {
                let group = format!("-{}", child.id());
                let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
                let _ = child.wait();
                return Err(format!("took longer than {at_most:?} and was ended"));
            }
            Err(error) => return Err(format!("cannot be waited for: {error}")),
        }
    }
}

/// Takes the rights of others from everything in a folder.
fn close(folder: &Path) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    let shut = |path: &Path| -> std::io::Result<()> {
        let mode = fs::metadata(path)?.permissions().mode() & 0o750;
        fs::set_permissions(path, fs::Permissions::from_mode(mode))
    };
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        shut(&path).map_err(failed)?;
        if path.is_dir() {
            close(&path)?;
        }
    }
    Ok(())
}

fn free_port() -> Result<u16, String> {
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|own| own.local_addr());
    let address = bound.map_err(|error| format!("a free port: {error}"))?;
    Ok(address.port())
}

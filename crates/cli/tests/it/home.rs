//! A folder of its own for each test, the binary in it, and a simulator beside it.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

/// No promise takes longer on a slow machine.
const LONGEST: Duration = Duration::from_secs(60);

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// The records on stdout.
    pub(crate) fn records(&self) -> Vec<Value> {
        let lines = self.stdout.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))
            .collect()
    }

    /// The records of one type.
    pub(crate) fn of_type(&self, kind: &str) -> Vec<Value> {
        let mut records = self.records();
        records.retain(|record| record["type"] == kind);
        records
    }

    /// Fails with everything that was printed, unless it ended so.
    #[track_caller]
    pub(crate) fn ends(self, status: i32) -> Self {
        assert_eq!(self.status, status, "{}\n{}", self.stdout, self.stderr);
        self
    }
}

/// A folder that a test works in.
pub(crate) struct Home {
    dir: TempDir,
    variables: Vec<(String, String)>,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            variables: Vec::new(),
        }
    }

    /// One that has the same store with `--sandbox` and without.
    pub(crate) fn of_one_store() -> Self {
        Self::new().with("TRUNKLINE_STORE", "sqlite:trunkline.db")
    }

    /// With this environment variable.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> &Self {
        fs::write(self.path(name), text).unwrap();
        self
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// The command, ready to be started in this folder with nothing of the test's environment.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_trunkline"));
        command
            .args(args)
            .current_dir(self.dir.path())
            .env_clear()
            .envs(self.variables.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        finish(self.command(args).spawn().unwrap())
    }

    pub(crate) fn run_with_stdin(&self, args: &[&str], input: &str) -> Ran {
        let mut command = self.command(args);
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).unwrap();
        drop(stdin);
        finish(child)
    }

    /// An accounts file whose accounts are at `simulator`.
    pub(crate) fn accounts_at(&self, simulator: &Simulator, names: &[&str]) -> &Self {
        let tables = names.iter().map(|name| {
            format!(
                "[accounts.{name}]\naccount_sid = \"{name}1\"\nbase_url = \"{}\"\n\
                 api_key = {{ env = \"KEY\" }}\napi_token = {{ env = \"TOKEN\" }}\n",
                simulator.base_url
            )
        });
        self.write("accounts.toml", &tables.collect::<String>())
    }

    /// Every file in the folder, by name.
    pub(crate) fn files(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

/// A home with key and token in its environment.
pub(crate) fn live() -> Home {
    Home::new()
        .with("KEY", "key-KEEPOUT")
        .with("TOKEN", "token-KEEPOUT")
}

/// Waits for the end and gives what was printed.
pub(crate) fn finish(child: Child) -> Ran {
    let output = child.wait_with_output().unwrap();
    Ran {
        // A process that a signal ended has no status of its own.
        status: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Three signups of one account, in CSV.
pub(crate) const THREE: &str = "account,partner,number,key\n\
    acme,rapida,+918000000001,one\n\
    acme,rapida,+918000000002,two\n\
    acme,retell,+918000000003,three\n";

/// `trunkline sandbox` on a free port.
pub(crate) struct Simulator {
    child: Child,
    pub(crate) base_url: String,
}

impl Simulator {
    pub(crate) fn start(home: &Home, args: &[&str]) -> Self {
        let mut all = vec!["--json", "sandbox", "--listen", "127.0.0.1:0"];
        all.extend(args);
        let mut child = home.command(&all).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        let stdout = child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let record: Value = serde_json::from_str(&line).unwrap();
        let base_url = record["base_url"].as_str().unwrap().to_owned();
        Self { child, base_url }
    }

    /// Sends a control and gives the answer's body.
    pub(crate) fn control(&self, method: &str, name: &str, body: &str) -> Value {
        let address = self.base_url.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        write!(
            stream,
            "{method} /_sandbox/{name} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 2"), "{answer}");
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str(body).unwrap_or(Value::Null)
    }

    /// How many requests it saw.
    pub(crate) fn requests(&self) -> usize {
        let all = self.control("GET", "requests", "");
        let list = all.as_array().or_else(|| all["requests"].as_array());
        list.unwrap_or_else(|| panic!("{all}")).len()
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until `done`.
#[track_caller]
pub(crate) fn until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < LONGEST, "still not: {what}");
        std::thread::yield_now();
    }
}

/// A file's permissions.
pub(crate) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

//! Which program is the server.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

/// What starts a server: a program and what comes before the server's own arguments.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    command: OsString,
    before: Vec<OsString>,
}

impl Program {
    /// The usual one: `TRUNKLINE_TEST_REDIS`, else `redis-server` on the `PATH`, else what
    /// `cargo xtask test` installed.
    pub(crate) fn usual() -> Self {
        if let Some(command) = env::var_os("TRUNKLINE_TEST_REDIS") {
            return Self {
                command,
                before: Vec::new(),
            };
        }
        on_path("redis-server")
            .map(|path| Self {
                command: path.into(),
                before: Vec::new(),
            })
            .or_else(installed)
            .expect(
                "no redis-server: run `cargo xtask test` (it installs one), or install Redis 7 or \
                 newer, or name one in TRUNKLINE_TEST_REDIS",
            )
    }

    /// One of version 7.2 or later, if there is one: `TRUNKLINE_TEST_REDIS_NEWER` (a program and
    /// what comes before the server's arguments, apart by blanks), the usual one, or what
    /// `cargo xtask test` installed.
    pub(crate) fn newer() -> Option<Self> {
        if let Ok(line) = env::var("TRUNKLINE_TEST_REDIS_NEWER") {
            let mut words = line.split_whitespace().map(OsString::from);
            let command = words
                .next()
                .expect("TRUNKLINE_TEST_REDIS_NEWER names a program");
            return Some(Self {
                command,
                before: words.collect(),
            });
        }
        let usual = on_path("redis-server").map(|_| Self::usual());
        usual
            .into_iter()
            .chain(installed())
            .find(|program| program.version() >= Some((7, 2)))
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.command);
        command.args(&self.before);
        command
    }

    /// `Redis server v=7.0.15 ...` or `Valkey server v=8.1.1 ...`.
    fn version(&self) -> Option<(u32, u32)> {
        let output = self.command().arg("--version").output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let (_, version) = text.split_once(" v=")?;
        let mut numbers = version.split('.').map(|part| part.parse().ok());
        Some((numbers.next()??, numbers.next()??))
    }
}

fn on_path(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

/// The server in the Debian tree that `cargo xtask test` makes where the system's is older: started
/// by that tree's own loader with its own libraries, so that nothing of the system's is mixed in.
fn installed() -> Option<Program> {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"),
        PathBuf::from,
    );
    let root = target.join("test-servers/trixie").canonicalize().ok()?;
    let (loader, libraries) = match env::consts::ARCH {
        "x86_64" => ("lib64/ld-linux-x86-64.so.2", "x86_64-linux-gnu"),
        "aarch64" => ("lib/ld-linux-aarch64.so.1", "aarch64-linux-gnu"),
        _ => return None,
    };
    let server = root.join("usr/bin/redis-server");
    let path = env::join_paths([
        root.join("lib").join(libraries),
        root.join("usr/lib").join(libraries),
    ])
    .ok()?;
    server.is_file().then(|| Program {
        command: root.join(loader).into(),
        before: vec!["--library-path".into(), path, server.into()],
    })
}

//! Tests of `deploy/prepare.sh`, in copies of what it looks after.

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// The user of the image.
const IMAGE: u32 = 65532;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A clone made under the umask 027, of what the script looks after.
struct Clone(tempfile::TempDir);

impl Clone {
    fn make() -> Self {
        let own = Self(tempfile::tempdir().unwrap());
        for name in [
            "deploy/prepare.sh",
            "deploy/compose/config/accounts.toml",
            "deploy/compose/config/trunkline.toml",
            "deploy/compose/redis/redis.conf",
            "deploy/compose/signups.csv",
            "deploy/compose/secrets/.gitignore",
            "examples/signups.csv",
        ] {
            let to = own.path(name);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            let _ = fs::copy(root().join(name), &to).unwrap();
        }
        for path in own.all() {
            let mode = if path.is_dir() { 0o750 } else { 0o640 };
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        }
        own
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn all(&self) -> Vec<PathBuf> {
        let mut found = vec![self.0.path().to_owned()];
        let mut at = 0;
        while at < found.len() {
            if found[at].is_dir() {
                let inside = fs::read_dir(&found[at]).unwrap();
                found.extend(inside.map(|entry| entry.unwrap().path()));
            }
            at += 1;
        }
        found
    }

    fn secret(&self, name: &str) -> fs::Metadata {
        fs::metadata(self.path("deploy/compose/secrets").join(name)).unwrap()
    }

    fn add_secret(&self, name: &str) {
        let path = self.path("deploy/compose/secrets").join(name);
        fs::write(&path, "made-up").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn run(&self, as_user: Option<u32>) -> Output {
        let mut shell = Command::new("sh");
        shell.arg(self.path("deploy/prepare.sh"));
        if let Some(user) = as_user {
            for path in self.all() {
                chown(path, Some(user), Some(user)).unwrap();
            }
            shell.uid(user).gid(user);
        }
        shell.output().unwrap()
    }
}

/// Whether the script can run at all here; it needs openssl, which is no tool of the project's tests.
fn has_openssl() -> bool {
    let asked = Command::new("openssl").arg("version").output();
    asked.is_ok_and(|output| output.status.success())
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.clone(), output.stderr.clone()].concat()).into_owned()
}

#[test]
fn a_clone_that_keeps_others_out_and_keys_added_later_are_made_readable_for_the_containers() {
    if !has_openssl() {
        return;
    }
    let clone = Clone::make();
    let output = clone.run(None);
    assert!(output.status.success(), "{}", told(&output));
    let own = clone.0.path().metadata().unwrap().uid();
    let user = if own == 0 { IMAGE } else { own };
    let environment = fs::read_to_string(clone.path(".env")).unwrap();
    assert!(
        environment.starts_with(&format!("TRUNKLINE_USER={user}:")),
        "{environment}"
    );
    for name in [
        "deploy/compose/config",
        "deploy/compose/config/accounts.toml",
        "deploy/compose/redis/redis.conf",
        "deploy/compose/signups.csv",
        "examples/signups.csv",
        "deploy/compose/secrets/users.acl",
    ] {
        let mode = clone.path(name).metadata().unwrap().mode();
        assert_eq!(mode & 0o4, 0o4, "{name} has mode {mode:o}");
    }
    let key = fs::read(clone.path("deploy/compose/secrets/secret_key")).unwrap();
    clone.add_secret("exotel_acme_key");
    let output = clone.run(None);
    assert!(output.status.success(), "{}", told(&output));
    for name in ["secret_key", "store_password", "exotel_acme_key"] {
        let secret = clone.secret(name);
        assert_eq!(
            (secret.uid(), secret.mode() & 0o777),
            (user, 0o600),
            "{name}"
        );
    }
    let again = fs::read(clone.path("deploy/compose/secrets/secret_key")).unwrap();
    assert_eq!(again, key, "another key would make the store unreadable");
}

#[test]
fn files_that_the_containers_cannot_read_are_named_with_their_user() {
    if !has_openssl() {
        return;
    }
    let clone = Clone::make();
    clone.add_secret("exotel_acme_key");
    fs::write(clone.path(".env"), "TRUNKLINE_USER=12345:12345\n").unwrap();
    // Root gives the files away instead.
    let is_root = clone.0.path().metadata().unwrap().uid() == 0;
    let output = clone.run(is_root.then_some(4321));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{text}");
    assert!(text.contains("12345:12345"), "{text}");
    assert!(text.contains("secrets/exotel_acme_key"), "{text}");
    assert!(!text.contains("users.acl"), "all may read it: {text}");
}

//! The deployment and its page against what they rest on: versions, times, settings, commands.

use std::{collections::BTreeSet, fs, path::Path};

/// Checks `Dockerfile`, `docker-compose.yml`, `deploy/` and `docs/operations.md`.
pub(crate) fn check() -> Result<(), String> {
    let mut files = vec![read("Dockerfile")?, read("docker-compose.yml")?];
    gather(Path::new("deploy"), &mut files)?;
    let pages = [
        read("docs/operations.md")?,
        read("docs/observability.md")?,
        read("deploy/README.md")?,
    ];
    let mut wrong = Vec::new();
    for file in &files {
        wrong.extend(unpinned(file));
    }
    wrong.extend(too_short_a_grace(&files, &read("trunkline.example.toml")?));
    wrong.extend(unknown_settings(&files, &read("docs/configuration.md")?));
    let help = read("crates/cli/tests/it/help.golden.txt")?;
    for page in &pages {
        wrong.extend(unknown_commands(page, &help.text));
    }
    wrong.extend(apart(&files));
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(wrong.join("\n"))
    }
}

/// A file and what is in it.
struct File {
    name: String,
    text: String,
}

fn read(name: &str) -> Result<File, String> {
    let text = fs::read_to_string(name).map_err(|error| format!("{name}: {error}"))?;
    Ok(File {
        name: name.to_owned(),
        text,
    })
}

/// The texts below a folder; secrets that `deploy/prepare.sh` made are left alone.
fn gather(folder: &Path, files: &mut Vec<File>) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "secrets") {
                gather(&path, files)?;
            }
        } else {
            files.push(read(&path.to_string_lossy())?);
        }
    }
    Ok(())
}

/// Images without a version: what runs would change by itself.
fn unpinned(file: &File) -> Vec<String> {
    let docker = file.name == "Dockerfile";
    if !docker && !file.name.ends_with(".yml") && !file.name.ends_with(".yaml") {
        return Vec::new();
    }
    let mut stages = BTreeSet::from(["scratch"]);
    let mut wrong = Vec::new();
    for line in file.text.lines() {
        let line = line.trim().trim_start_matches("- ");
        let Some(rest) = line.strip_prefix(if docker { "FROM " } else { "image: " }) else {
            continue;
        };
        let image = rest.split_whitespace().next().unwrap_or_default();
        let pinned = image.rsplit_once(':').is_some_and(|(_, tag)| {
            !tag.contains('/') && tag.starts_with(|first: char| first.is_ascii_digit())
        });
        if !pinned && !stages.contains(image) {
            wrong.push(format!("{}: {image} has no version", file.name));
        }
        stages.extend(rest.split_once(" AS ").map(|(_, stage)| stage.trim()));
    }
    wrong
}

/// The number after `key` in a line of its own; units and quotes around it are dropped.
fn numbers(text: &str, key: &str) -> Vec<u64> {
    let value = |line: &str| {
        let rest = line.trim().strip_prefix(key)?;
        let digits: String = rest.chars().filter(char::is_ascii_digit).collect();
        digits.parse().ok()
    };
    text.lines().filter_map(value).collect()
}

/// Workers that are killed while they still finish: SIGTERM has to come long enough before SIGKILL.
fn too_short_a_grace(files: &[File], example: &File) -> Vec<String> {
    let Some(shutdown_ms) = numbers(&example.text, "shutdown_timeout_ms =").pop() else {
        return vec![format!("{}: shutdown_timeout_ms is missing", example.name)];
    };
    let graces = files.iter().flat_map(|file| {
        ["stop_grace_period:", "terminationGracePeriodSeconds:"]
            .into_iter()
            .flat_map(|key| numbers(&file.text, key))
            .map(move |seconds| (&file.name, seconds))
    });
    let mut wrong: Vec<String> = graces
        .clone()
        .filter(|(_, seconds)| seconds * 1000 <= shutdown_ms)
        .map(|(name, seconds)| {
            format!(
                "{name}: a grace of {seconds} s is not above shutdown_timeout_ms ({shutdown_ms})"
            )
        })
        .collect();
    for name in ["docker-compose.yml", "deploy/kubernetes/base/worker.yaml"] {
        if !graces.clone().any(|(file, _)| file == name) {
            wrong.push(format!("{name}: workers get no grace to end"));
        }
    }
    wrong
}

/// Settings, commented out or not, that `docs/configuration.md` does not know.
fn unknown_settings(files: &[File], known: &File) -> Vec<String> {
    let mut wrong = Vec::new();
    for file in files {
        if !file.name.ends_with("trunkline.toml") && !file.name.ends_with("sandbox.toml") {
            continue;
        }
        for line in file.text.lines() {
            let Some((key, _)) = line.trim_start_matches("# ").split_once(" = ") else {
                continue;
            };
            if !key.contains(' ') && !known.text.contains(&format!("| `{key}` |")) {
                wrong.push(format!("{}: there is no setting {key}", file.name));
            }
        }
    }
    wrong
}

/// Commands of a page that the program does not have.
fn unknown_commands(page: &File, help: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for (at, _) in page.text.match_indices("trunkline ") {
        // Elsewhere it is a user, a secret or a folder.
        let before = &page.text[..at];
        if !["`", "\n", "-- ", "worker "]
            .iter()
            .any(|mark| before.ends_with(mark))
        {
            continue;
        }
        let words: Vec<&str> = page.text[at..]
            .lines()
            .next()
            .unwrap_or_default()
            .split(' ')
            .collect();
        let bare = |word: &str| {
            word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric())
                .to_owned()
        };
        let Some(first) = words.get(1).map(|word| bare(word)) else {
            continue;
        };
        let is_command = !first.is_empty() && first.chars().all(|c| c.is_ascii_lowercase());
        if is_command && !help.contains(&format!("$ trunkline {first} --help")) {
            wrong.push(format!(
                "{}: there is no command `trunkline {first}`",
                page.name
            ));
        }
    }
    wrong
}

/// Files that say the same in two places, and the rule of Redis's user in three.
fn apart(files: &[File]) -> Vec<String> {
    let text = |name: &str| {
        let found = files.iter().find(|file| file.name == name);
        found.map_or("", |file| file.text.as_str())
    };
    let twins = [
        (
            "deploy/compose/redis/redis.conf",
            "deploy/kubernetes/overlays/trial/redis.conf",
        ),
        (
            "deploy/compose/config/sandbox-accounts.toml",
            "deploy/kubernetes/overlays/sandbox/accounts.toml",
        ),
    ];
    let mut wrong: Vec<String> = twins
        .into_iter()
        .filter(|(one, other)| text(one).is_empty() || text(one) != text(other))
        .map(|(one, other)| format!("{one} and {other} differ"))
        .collect();
    for rule in ACL {
        if !text("deploy/prepare.sh").contains(rule) {
            wrong.push(format!("deploy/prepare.sh: Redis's users lack {rule}"));
        }
    }
    wrong
}

/// What the store's Redis user may do, as the store names it when a server refuses (`store::redis`);
/// and the user as which Redis reads its append-only file, without whose rights it starts empty.
const ACL: [&str; 2] = [
    "+@all -@admin -@dangerous +info",
    "user default off resetpass ~* &* +@all",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, text: &str) -> File {
        File {
            name: name.to_owned(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn an_image_without_a_version_is_told() {
        for (name, text, told) in [
            (
                "Dockerfile",
                "FROM rust:1.95.0-slim AS a\nFROM a AS b\nFROM scratch",
                0,
            ),
            ("Dockerfile", "FROM rust AS a", 1),
            ("docker-compose.yml", "    image: redis:latest\n", 1),
            ("deploy/a.yaml", "  - image: host:5000/redis\n", 1),
            ("deploy/a.yaml", "    image: redis:8.2.2-alpine\n", 0),
            ("deploy/README.md", "image: redis\n", 0),
        ] {
            assert_eq!(unpinned(&file(name, text)).len(), told, "{name}: {text}");
        }
    }

    #[test]
    fn a_grace_has_to_be_longer_than_the_shutdown() {
        let example = file("e", "shutdown_timeout_ms = 12000\n");
        for (seconds, told) in [("30s", 0), ("12s", 1), ("5s", 1)] {
            let files = [
                file(
                    "docker-compose.yml",
                    &format!("  stop_grace_period: {seconds}\n"),
                ),
                file(
                    "deploy/kubernetes/base/worker.yaml",
                    "terminationGracePeriodSeconds: 45",
                ),
            ];
            assert_eq!(too_short_a_grace(&files, &example).len(), told, "{seconds}");
        }
        assert_eq!(too_short_a_grace(&[], &example).len(), 2);
    }

    #[test]
    fn a_setting_or_a_command_that_does_not_exist_is_told() {
        let known = file("c", "| `store` | x |\n");
        let files = [file(
            "deploy/trunkline.toml",
            "store = 1\n# stor = 1\n# A store = b\n",
        )];
        assert_eq!(unknown_settings(&files, &known).len(), 1);
        let page = file(
            "p",
            "`trunkline status` and `trunkline serve`\ndeploy/trunkline x\n",
        );
        assert_eq!(
            unknown_commands(&page, "$ trunkline status --help").len(),
            1
        );
    }
}

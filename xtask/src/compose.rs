//! What of the image and the Compose file can be said without an engine; `containers` runs them.

use std::{collections::BTreeSet, fs};

/// Where the commands are that people copy.
pub(crate) const PAGE: &str = "deploy/README.md";
pub(crate) const FILE: &str = "docker-compose.yml";
const IMAGE: &str = "Dockerfile";
const SETTINGS: &str = "deploy/compose/config/trunkline.toml";

/// Checks them.
pub(crate) fn check() -> Result<(), String> {
    let read = |name: &str| fs::read_to_string(name).map_err(|error| format!("{name}: {error}"));
    let (image, file, page) = (read(IMAGE)?, read(FILE)?, read(PAGE)?);
    let mut wrong = data_of_another_user(&image);
    wrong.extend(too_new(&file));
    wrong.extend(without_a_probe(&file));
    wrong.extend(published(&file));
    wrong.extend(unstopped(&file, &page));
    wrong.extend(untold_gateway(&file, &read(SETTINGS)?, &page));
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(wrong.join("\n"))
    }
}

/// A `/data` that the image's user cannot write to. The first copy that makes the folder decides whose it
/// is: `--chown` of a later one changes what is in it and not the folder itself.
fn data_of_another_user(image: &str) -> Vec<String> {
    let lines = || image.lines().filter(|line| !line.trim().starts_with('#'));
    let last = lines().collect::<Vec<_>>();
    let from = last.iter().rposition(|line| line.starts_with("FROM "));
    let stage = from.map_or(&[][..], |at| &last[at..]);
    let word = |key: &str| stage.iter().find_map(|line| line.strip_prefix(key));
    let Some(user) = word("USER ") else {
        return vec![format!("{IMAGE}: the last stage has no USER")];
    };
    let chown = format!("--chown={} ", user.trim());
    let copies = || stage.iter().filter_map(|line| line.strip_prefix("COPY "));
    let mut wrong = Vec::new();
    if !copies().any(|copy| copy.contains(&chown) && copy.trim().ends_with(" /data")) {
        wrong.push(format!("{IMAGE}: no COPY {chown}makes /data"));
    }
    for copy in copies().filter(|copy| !copy.contains("--chown=")) {
        let source = copy.split_whitespace().rev().nth(1).unwrap_or_default();
        let inside = format!("{}/data", source.trim_end_matches('/'));
        if lines().any(|line| line.split_whitespace().any(|word| word == inside)) {
            wrong.push(format!(
                "{IMAGE}: `COPY {copy}` brings {inside} along, which makes /data root's"
            ));
        }
    }
    wrong
}

/// Keys that engines before Docker 25 and podman refuse the whole file for.
fn too_new(file: &str) -> Vec<String> {
    let is_new = |line: &&str| line.trim().starts_with("start_interval:");
    file.lines()
        .filter(is_new)
        .map(|line| format!("{FILE}: `{}` needs Docker Engine 25", line.trim()))
        .collect()
}

/// The services by name, each with its lines.
fn services(file: &str) -> Vec<(&str, Vec<&str>)> {
    let mut found: Vec<(&str, Vec<&str>)> = Vec::new();
    let inside = file
        .lines()
        .skip_while(|line| *line != "services:")
        .skip(1)
        .take_while(|line| line.is_empty() || line.starts_with([' ', '#']));
    for line in inside {
        let name = line
            .strip_prefix("  ")
            .filter(|rest| !rest.starts_with([' ', '#']))
            .and_then(|rest| rest.strip_suffix(':'));
        match (name, found.last_mut()) {
            (Some(name), _) => found.push((name, Vec::new())),
            (None, Some((_, lines))) => lines.push(line.trim()),
            (None, None) => {}
        }
    }
    found
}

/// Long-running services of ours whose state Compose learns late or not at all: one without a health check
/// of its own has the image's, and a worker that listens nowhere cannot be asked.
fn without_a_probe(file: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, lines) in services(file) {
        let has = |start: &str| lines.iter().any(|line| line.starts_with(start));
        let is_worker = has("<<: *worker");
        let is_ours = is_worker || (has("<<: *trunkline") && has("restart:"));
        if is_ours && !has("healthcheck:") {
            wrong.push(format!("{FILE}: {name} has no health check of its own"));
        }
        // Those that share a network cannot all listen on one port of it.
        if is_worker && !has("network_mode:") && !has("TRUNKLINE_WORKER_LISTEN:") {
            wrong.push(format!("{FILE}: {name} has no TRUNKLINE_WORKER_LISTEN"));
        }
        if is_worker && has("network_mode: service:") {
            let owner = lines
                .iter()
                .find_map(|line| line.strip_prefix("network_mode: service:"));
            let ours = |(other, lines): &(&str, Vec<&str>)| {
                Some(*other) == owner && lines.iter().any(|line| line.contains("*trunkline"))
            };
            if services(file).iter().any(ours) {
                wrong.push(format!(
                    "{FILE}: {name} loses its network with the process of another service of ours"
                ));
            }
        }
    }
    wrong
}

/// Ports that others than this machine reach.
fn published(file: &str) -> Vec<String> {
    file.lines()
        .map(str::trim)
        .filter(|line| line.starts_with("ports:") && !line.starts_with("ports: [\"127.0.0.1:"))
        .map(|line| format!("{FILE}: `{line}` is published on more than loopback"))
        .collect()
}

/// Profiles whose services go on after the page's commands that end everything.
fn unstopped(file: &str, page: &str) -> Vec<String> {
    let mut profiles = BTreeSet::new();
    for (_, lines) in services(file) {
        let lasting = lines
            .iter()
            .any(|line| line.starts_with("restart:") || line.starts_with("<<: *worker"));
        for line in lines.iter().filter(|_| lasting) {
            if let Some(names) = line.strip_prefix("profiles: [") {
                profiles.extend(names.trim_end_matches(']').split(", "));
            }
        }
    }
    let mut wrong = Vec::new();
    for verb in ["stop", "down"] {
        let own = commands(page).into_iter().find(|command| {
            command.starts_with("docker compose ") && command.ends_with(&format!(" {verb}"))
        });
        let Some(own) = own else {
            wrong.push(format!("{PAGE}: no command ends everything with {verb}"));
            continue;
        };
        for profile in &profiles {
            if !own.contains(&format!("--profile {profile} ")) {
                wrong.push(format!(
                    "{PAGE}: `{own}` leaves the profile {profile} running"
                ));
            }
        }
    }
    wrong
}

/// The gateway that may be trusted, where the file, the settings and the page do not name the same.
fn untold_gateway(file: &str, settings: &str, page: &str) -> Vec<String> {
    let Some((_, rest)) = file.split_once("${TRUNKLINE_GATEWAY:-") else {
        return vec![format!("{FILE}: the network outside has no fixed gateway")];
    };
    let address = rest.split('}').next().unwrap_or_default();
    let line = format!("trusted_proxies = [\"{address}\"]");
    [(SETTINGS, settings), (PAGE, page)]
        .into_iter()
        .filter(|(_, text)| !text.contains(&line))
        .map(|(name, _)| format!("{name}: it does not say `{line}`"))
        .collect()
}

/// The command lines of a page's blocks of shell, without their comments, each on one line.
pub(crate) fn commands(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut fenced = false;
    let mut begun = String::new();
    for line in page.lines() {
        if line.starts_with("```") {
            fenced = line == "```sh";
            continue;
        }
        if !fenced {
            continue;
        }
        let bare = line.split("  #").next().unwrap_or_default().trim();
        match bare.strip_suffix('\\') {
            Some(part) => begun.push_str(part),
            None if bare.is_empty() => {}
            None => {
                found.push(std::mem::take(&mut begun) + bare);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_folder_of_the_image_belongs_to_its_user() {
        let image = |make: &str, copies: &str| {
            format!(
                "FROM a AS build\nRUN mkdir -p {make}\nFROM scratch\n{copies}\nUSER 65532:65532\n"
            )
        };
        let all = "COPY --from=build /image/ /\n";
        let data = |from: &str| format!("COPY --from=build --chown=65532:65532 {from} /data");
        for (make, copies, told) in [
            ("/image /data", format!("{all}{}", data("/data")), 0),
            ("/image/data", format!("{all}{}", data("/image/data")), 1),
            ("/image/data", format!("{}\n{all}", data("/image/data")), 1),
            (
                "/image /data",
                format!("{all}COPY --from=build /data /data"),
                1,
            ),
            ("/image", all.to_owned(), 1),
        ] {
            let wrong = data_of_another_user(&image(make, &copies));
            assert_eq!(wrong.len(), told, "{make}, {copies}: {wrong:?}");
        }
        assert_eq!(data_of_another_user("FROM scratch\n").len(), 1);
    }

    const WORKER: &str = "services:\n  one:\n    <<: *worker\n";

    #[test]
    fn a_service_that_compose_cannot_ask_is_told() {
        let listens = "    environment:\n      TRUNKLINE_WORKER_LISTEN: x\n";
        let asked = "    healthcheck:\n      test: x\n";
        for (rest, told) in [
            (String::new(), 2),
            (listens.to_owned(), 1),
            (format!("{listens}{asked}"), 0),
            (
                format!("{asked}    network_mode: service:idle\n  idle:\n    image: redis:8\n"),
                0,
            ),
            (
                format!(
                    "{asked}    network_mode: service:two\n  two:\n    <<: *trunkline\n    restart: x\n{asked}"
                ),
                1,
            ),
        ] {
            let file = format!("{WORKER}{rest}volumes:\n");
            let wrong = without_a_probe(&file);
            assert_eq!(wrong.len(), told, "{file}: {wrong:?}");
        }
    }

    #[test]
    fn a_profile_that_the_stop_command_leaves_running_is_told() {
        let file =
            "services:\n  a:\n    profiles: [web]\n    restart: x\n  b:\n    profiles: [once]\n";
        let page = |profiles: &str| {
            format!(
                "```sh\ndocker compose {profiles}stop   # now\ndocker compose {profiles}down\n```\n"
            )
        };
        assert_eq!(unstopped(file, &page("--profile web ")).len(), 0);
        assert_eq!(unstopped(file, &page("")).len(), 2);
        assert_eq!(unstopped(file, "").len(), 2);
    }

    #[test]
    fn what_needs_a_new_engine_or_lets_others_in_is_told() {
        assert_eq!(
            too_new("  start_interval: 1s\n  # start_interval:\n").len(),
            1
        );
        for (line, told) in [
            ("ports: [\"127.0.0.1:1:1\"]", 0),
            ("ports: [\"8484:8484\"]", 1),
            ("ports:", 1),
        ] {
            assert_eq!(published(line).len(), told, "{line}");
        }
    }

    #[test]
    fn the_gateway_is_the_same_wherever_it_stands() {
        let file = "gateway: ${TRUNKLINE_GATEWAY:-10.0.0.1}";
        let right = "# trusted_proxies = [\"10.0.0.1\"]";
        assert_eq!(untold_gateway(file, right, right).len(), 0);
        assert_eq!(untold_gateway(file, right, "10.0.0.2").len(), 1);
        assert_eq!(untold_gateway("", right, right).len(), 1);
    }

    #[test]
    fn commands_come_without_comments_and_in_one_line() {
        let page = "a\n```sh\nb c    # d\n\ne \\\n  < f\n```\ng\n```toml\nh\n```\n";
        assert_eq!(commands(page), ["b c", "e < f"]);
    }
}

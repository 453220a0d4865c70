//! What watches Trunkline: the dashboard and the alerts, against the page that lists the metrics.
//!
//! That the page lists exactly the metrics that there are is a test of `telemetry`.

use std::{collections::BTreeMap, fs};

use serde_json::Value;

const PAGE: &str = "docs/observability.md";
const ALERTS: &str = "deploy/prometheus/alerts.yaml";
const ALERTS_TEST: &str = "deploy/prometheus/alerts.test.yaml";
const DASHBOARD: &str = "deploy/grafana/trunkline.json";

/// Checks the dashboard and the alerts.
pub(crate) fn check() -> Result<(), String> {
    let page = read(PAGE)?;
    let alerts = read(ALERTS)?;
    let tests = read(ALERTS_TEST)?;
    let dashboard = read(DASHBOARD)?;
    let known = metrics(&page);
    let mut wrong = Vec::new();
    for (file, text) in [
        (ALERTS, &alerts),
        (ALERTS_TEST, &tests),
        (DASHBOARD, &dashboard),
    ] {
        wrong.extend(unknown_metrics(file, text, &known));
    }
    wrong.extend(of_alerts(&alerts, &tests, &page));
    wrong.extend(of_dashboard(&dashboard));
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(wrong.join("\n"))
    }
}

fn read(name: &str) -> Result<String, String> {
    fs::read_to_string(name).map_err(|error| format!("{name}: {error}"))
}

/// Name and type of every metric of the page's table.
fn metrics(page: &str) -> BTreeMap<&str, &str> {
    let rows = page
        .lines()
        .skip_while(|line| !line.starts_with("| Metric"))
        .take_while(|line| line.starts_with('|'));
    rows.filter_map(|row| {
        let mut cells = row.split('|').map(str::trim).skip(1);
        let name = cells.next()?.strip_prefix('`')?.strip_suffix('`')?;
        Some((name, cells.next()?))
    })
    .collect()
}

/// Words that are a metric's name by their beginning, and are none.
fn unknown_metrics(file: &str, text: &str, known: &BTreeMap<&str, &str>) -> Vec<String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut wrong: Vec<String> = text
        .split(|c| !is_word(c))
        .filter(|word| word.starts_with("trunkline_") || word.starts_with("process_"))
        .filter(|word| {
            let of_histogram = ["_bucket", "_sum", "_count"].iter().any(|suffix| {
                let base = word.strip_suffix(suffix);
                base.is_some_and(|base| known.get(base) == Some(&"histogram"))
            });
            let is_whole = known.get(word).is_some_and(|kind| *kind != "histogram");
            !of_histogram && !is_whole
        })
        .map(|word| format!("{file}: there is no metric {word}"))
        .collect();
    wrong.sort();
    wrong.dedup();
    wrong
}

/// Every alert says what is wrong, what it means and where to read what to do, and is tested.
fn of_alerts(alerts: &str, tests: &str, page: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for part in alerts.split("- alert: ").skip(1) {
        let name = part.lines().next().unwrap_or_default().trim();
        for wanted in ["expr:", "severity:", "summary:", "description:"] {
            if !part.contains(wanted) {
                wrong.push(format!("{ALERTS}: {name} has no {wanted}"));
            }
        }
        let runbook = format!("runbook: {PAGE}#{}", name.to_lowercase());
        if !part.contains(&runbook) {
            wrong.push(format!("{ALERTS}: {name} lacks `{runbook}`"));
        }
        if !page.lines().any(|line| line == format!("### {name}")) {
            wrong.push(format!("{PAGE}: does not say what to do about {name}"));
        }
        if !tests.contains(&format!("alertname: {name}\n")) {
            wrong.push(format!("{ALERTS_TEST}: does not show when {name} fires"));
        }
    }
    wrong
}

/// It belongs to no instance of Grafana: whoever imports it chooses the data source.
fn of_dashboard(text: &str) -> Vec<String> {
    let dashboard: Value = match serde_json::from_str(text) {
        Ok(dashboard) => dashboard,
        Err(error) => return vec![format!("{DASHBOARD}: {error}")],
    };
    let mut wrong = Vec::new();
    if !dashboard["id"].is_null() {
        wrong.push(format!("{DASHBOARD}: it has the id of an instance"));
    }
    let panels = dashboard["panels"].as_array().cloned().unwrap_or_default();
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        let title = panel["title"].as_str().unwrap_or_default();
        if panel["datasource"]["uid"] != "${datasource}" {
            wrong.push(format!(
                "{DASHBOARD}: \"{title}\" has a data source of its own"
            ));
        }
        if panel["description"].as_str().unwrap_or_default().is_empty() {
            wrong.push(format!(
                "{DASHBOARD}: \"{title}\" does not say what it shows"
            ));
        }
    }
    let variables = dashboard["templating"]["list"].as_array();
    for name in ["datasource", "account"] {
        let mut all = variables.into_iter().flatten();
        if !all.any(|variable| variable["name"] == name) {
            wrong.push(format!("{DASHBOARD}: there is no variable {name}"));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "| Metric | Type |\n|---|---|\n| `trunkline_a_total` | counter |\n| `trunkline_b_seconds` | histogram |\n";

    #[test]
    fn a_metric_that_does_not_exist_is_told() {
        let known = metrics(TABLE);
        for (text, told) in [
            ("rate(trunkline_a_total[5m])", 0),
            (
                "trunkline_b_seconds_bucket{le=\"1\"} trunkline_b_seconds_count",
                0,
            ),
            ("trunkline_b_seconds", 1),
            ("trunkline_a trunkline_a trunkline_a_total_sum", 2),
        ] {
            assert_eq!(unknown_metrics("f", text, &known).len(), told, "{text}");
        }
    }

    #[test]
    fn an_alert_without_advice_or_without_a_test_is_told() {
        let whole = "- alert: Down\n  expr: x\n  severity: s\n  summary: s\n  description: d\n  runbook: docs/observability.md#down\n";
        let tests = "alertname: Down\n";
        assert_eq!(of_alerts(whole, tests, "### Down"), Vec::<String>::new());
        assert_eq!(of_alerts(whole, "", "").len(), 2);
        assert_eq!(of_alerts("- alert: Down\n", tests, "### Down").len(), 5);
    }

    #[test]
    fn a_dashboard_of_one_instance_is_told() {
        let text = "{\"id\": 3, \"panels\": [{\"type\": \"stat\", \"title\": \"x\"}], \"templating\": {\"list\": []}}";
        assert_eq!(of_dashboard(text).len(), 5);
    }
}

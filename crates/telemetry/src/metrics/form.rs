//! The two text formats.

/// A text format of Prometheus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `OpenMetrics` 1.0.
    OpenMetrics,
    /// Prometheus's own, version 0.0.4: for those that do not know the other.
    Plain,
}

impl Form {
    /// The one that a request's `Accept` header asks for: `OpenMetrics` where it is named.
    #[must_use]
    pub fn asked(accept: Option<&str>) -> Self {
        if accept.is_some_and(|accept| accept.contains("application/openmetrics-text")) {
            Self::OpenMetrics
        } else {
            Self::Plain
        }
    }

    /// Its content type.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Plain => "text/plain; version=0.0.4; charset=utf-8",
        }
    }

    /// `text`, which [`crate::Metrics::text`] gave, in this format.
    #[must_use]
    pub fn of(self, text: String) -> String {
        match self {
            Self::OpenMetrics => text,
            Self::Plain => plain(&text),
        }
    }
}

/// The samples are written alike. What is said of a counter bears the counter's whole name here,
/// there is no type for what only informs, and nothing is said of units or the end.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut help = None;
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ');
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap_or((rest, "untyped"));
            let (suffix, kind) = match kind {
                "counter" => ("_total", kind),
                "info" => ("_info", "gauge"),
                "unknown" => ("", "untyped"),
                _ => ("", kind),
            };
            if let Some((_, meaning)) = help.take() {
                out.push_str(&format!("# HELP {name}{suffix} {meaning}\n"));
            }
            out.push_str(&format!("# TYPE {name}{suffix} {kind}\n"));
        } else if !line.starts_with('#') {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openmetrics_is_given_to_those_who_name_it() {
        for (accept, form) in [
            (None, Form::Plain),
            (Some("*/*"), Form::Plain),
            (Some("text/plain;version=0.0.4"), Form::Plain),
            (
                Some("application/openmetrics-text;version=1.0.0,text/plain;q=0.5"),
                Form::OpenMetrics,
            ),
        ] {
            assert_eq!(Form::asked(accept), form, "{accept:?}");
        }
    }

    #[test]
    fn prometheus_own_format_names_counters_in_whole_and_knows_no_units() {
        let open = "# HELP a_seconds Time.\n# TYPE a_seconds counter\n# UNIT a_seconds seconds\n\
                    a_seconds_total 1\n# HELP b What.\n# TYPE b info\nb_info{v=\"1\"} 1\n\
                    # HELP c How.\n# TYPE c gauge\nc 3\n# EOF\n";
        let plain = "# HELP a_seconds_total Time.\n# TYPE a_seconds_total counter\n\
                     a_seconds_total 1\n# HELP b_info What.\n# TYPE b_info gauge\nb_info{v=\"1\"} 1\n\
                     # HELP c How.\n# TYPE c gauge\nc 3\n";
        assert_eq!(Form::Plain.of(open.to_owned()), plain);
        assert_eq!(Form::OpenMetrics.of(open.to_owned()), open);
    }
}

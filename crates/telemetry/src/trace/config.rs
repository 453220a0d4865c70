//! Where traces go, and which: from the settings and OpenTelemetry's own variables.

use std::{fmt, str::FromStr, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::KeyValue;
use opentelemetry_sdk::{
    Resource,
    resource::TelemetryResourceDetector,
    trace::{Sampler, ShouldSample},
};
use percent_encoding::percent_decode_str;
use reqwest::Url;

use crate::Error;

/// Most spans that wait to be exported: some megabytes, and what a busy worker makes in a second.
/// More are dropped, so that a collector that is away costs no memory.
const QUEUE_MAX: usize = 8_192;

/// How long one export may take where nothing else is said, as OpenTelemetry has it.
const TIMEOUT_MS: u64 = 10_000;

/// Where traces go, and which.
pub struct Config {
    /// The whole URL, without credentials.
    pub(super) endpoint: Url,
    /// Marked as sensitive: they hold keys.
    pub(super) headers: HeaderMap,
    pub(super) timeout: Duration,
    pub(super) queue_max: usize,
    pub(super) sampler: Box<dyn ShouldSample>,
    pub(super) resource: Resource,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("host", &self.endpoint.host_str())
            .finish_non_exhaustive()
    }
}

impl Config {
    /// Reads where traces go: to `endpoint`, the base URL that the settings name, else to what the
    /// variables of the environment say. `variable` gives a variable's value. `None`: they go
    /// nowhere.
    ///
    /// The variables are OpenTelemetry's: `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` (whole),
    /// `OTEL_EXPORTER_OTLP_ENDPOINT` (base); `..._HEADERS`, `..._TIMEOUT` and `..._PROTOCOL` of
    /// both; `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_SAMPLER`,
    /// `OTEL_TRACES_SAMPLER_ARG`, `OTEL_BSP_MAX_QUEUE_SIZE`; `OTEL_SDK_DISABLED` and
    /// `OTEL_TRACES_EXPORTER` (`none`) switch it off.
    ///
    /// # Errors
    /// [`Error::Settings`] names what cannot be used.
    pub fn read(
        endpoint: Option<&str>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, Error> {
        let variables = Variables(variable);
        if variables.is("OTEL_SDK_DISABLED", "true") || variables.is("OTEL_TRACES_EXPORTER", "none")
        {
            return Ok(None);
        }
        let Some(endpoint) = variables.endpoint(endpoint)? else {
            return Ok(None);
        };
        variables.refuse_other_protocols()?;
        Ok(Some(Self {
            endpoint,
            headers: variables.headers()?,
            timeout: Duration::from_millis(variables.number("TIMEOUT", TIMEOUT_MS)?),
            queue_max: variables.queue_max()?,
            sampler: variables.sampler()?,
            resource: variables.resource()?,
        }))
    }
}

/// The environment, or what a test has in its place.
struct Variables<F>(F);

impl<F: Fn(&str) -> Option<String>> Variables<F> {
    /// An empty one is one that is not set.
    fn get(&self, name: &str) -> Option<String> {
        let value = (self.0)(name)?;
        let value = value.trim();
        (!value.is_empty()).then(|| value.to_owned())
    }

    fn is(&self, name: &str, value: &str) -> bool {
        self.get(name)
            .is_some_and(|set| set.eq_ignore_ascii_case(value))
    }

    /// The exporter's variable of this name with its own name: that for traces comes first.
    fn exporter(&self, name: &str) -> Option<(String, String)> {
        ["OTEL_EXPORTER_OTLP_TRACES_", "OTEL_EXPORTER_OTLP_"]
            .into_iter()
            .find_map(|start| {
                let name = format!("{start}{name}");
                let value = self.get(&name)?;
                Some((name, value))
            })
    }

    fn endpoint(&self, setting: Option<&str>) -> Result<Option<Url>, Error> {
        if let Some(base) = setting {
            return based("otlp_endpoint", base).map(Some);
        }
        let whole = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
        if let Some(url) = self.get(whole) {
            return parsed(whole, &url).map(Some);
        }
        let base = "OTEL_EXPORTER_OTLP_ENDPOINT";
        self.get(base).map(|url| based(base, &url)).transpose()
    }

    fn refuse_other_protocols(&self) -> Result<(), Error> {
        match self.exporter("PROTOCOL") {
            Some((name, value)) if value != "http/protobuf" => Err(Error::Settings(format!(
                "{name}: traces are exported over http/protobuf only, and it says \"{}\"; name a collector's HTTP port (commonly 4318) and write http/protobuf, or nothing",
                value.escape_debug()
            ))),
            Some(_) | None => Ok(()),
        }
    }

    /// `name=value,name=value`, with values percent-encoded.
    fn headers(&self) -> Result<HeaderMap, Error> {
        let mut headers = HeaderMap::new();
        let Some((variable, pairs)) = self.exporter("HEADERS") else {
            return Ok(headers);
        };
        // The text itself may be a key: it is not repeated.
        let wrong = || {
            Error::Settings(format!(
                "{variable}: it is no list of headers; write name=value,name=value with percent-encoded values"
            ))
        };
        for pair in pairs.split(',').filter(|pair| !pair.trim().is_empty()) {
            let (name, value) = pair.split_once('=').ok_or_else(wrong)?;
            let value = percent_decode_str(value.trim())
                .decode_utf8()
                .map_err(|_| wrong())?;
            let name = HeaderName::from_str(name.trim()).map_err(|_| wrong())?;
            let mut value = HeaderValue::from_str(&value).map_err(|_| wrong())?;
            value.set_sensitive(true);
            headers.append(name, value);
        }
        Ok(headers)
    }

    fn number(&self, name: &str, default: u64) -> Result<u64, Error> {
        let Some((variable, value)) = self.exporter(name) else {
            return Ok(default);
        };
        positive(&variable, &value)
    }

    fn queue_max(&self) -> Result<usize, Error> {
        let name = "OTEL_BSP_MAX_QUEUE_SIZE";
        let Some(value) = self.get(name) else {
            return Ok(QUEUE_MAX);
        };
        let asked = positive(name, &value)?;
        Ok(usize::try_from(asked).unwrap_or(usize::MAX).min(MOST_ASKED))
    }

    fn sampler(&self) -> Result<Box<dyn ShouldSample>, Error> {
        let name = "OTEL_TRACES_SAMPLER";
        let asked = self.get(name);
        let root = match asked.as_deref() {
            None | Some("always_on" | "parentbased_always_on") => Sampler::AlwaysOn,
            Some("always_off" | "parentbased_always_off") => Sampler::AlwaysOff,
            Some("traceidratio" | "parentbased_traceidratio") => {
                Sampler::TraceIdRatioBased(self.ratio()?)
            }
            Some(other) => {
                return Err(Error::Settings(format!(
                    "{name}: \"{}\" is not a sampler; write always_on, always_off or traceidratio, also with parentbased_ before it",
                    other.escape_debug()
                )));
            }
        };
        let by_parent = asked.is_none_or(|asked| asked.starts_with("parentbased_"));
        Ok(if by_parent {
            Box::new(Sampler::parent_based(root))
        } else {
            Box::new(root)
        })
    }

    fn ratio(&self) -> Result<f64, Error> {
        let name = "OTEL_TRACES_SAMPLER_ARG";
        let Some(value) = self.get(name) else {
            return Ok(1.0);
        };
        let ratio = value.parse().ok().filter(|it| (0.0..=1.0).contains(it));
        ratio.ok_or_else(|| {
            Error::Settings(format!(
                "{name}: \"{}\" is not a share; write a number from 0 to 1",
                value.escape_debug()
            ))
        })
    }

    /// What exports: its name, its version, and what the environment adds.
    fn resource(&self) -> Result<Resource, Error> {
        let mut resource = Resource::builder_empty()
            .with_detector(Box::new(TelemetryResourceDetector))
            .with_service_name("trunkline")
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
        let variable = "OTEL_RESOURCE_ATTRIBUTES";
        for pair in self.get(variable).iter().flat_map(|all| all.split(',')) {
            let wrong = || {
                Error::Settings(format!(
                    "{variable}: it is no list of attributes; write name=value,name=value with percent-encoded values"
                ))
            };
            let (name, value) = pair.split_once('=').ok_or_else(wrong)?;
            let value = percent_decode_str(value.trim())
                .decode_utf8()
                .map_err(|_| wrong())?;
            let attribute = KeyValue::new(name.trim().to_owned(), value.into_owned());
            resource = resource.with_attribute(attribute);
        }
        if let Some(name) = self.get("OTEL_SERVICE_NAME") {
            resource = resource.with_service_name(name);
        }
        Ok(resource.build())
    }
}

/// Most spans that a queue may be asked to hold: some hundreds of megabytes.
const MOST_ASKED: usize = 262_144;

fn positive(name: &str, value: &str) -> Result<u64, Error> {
    let number = value.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| {
        Error::Settings(format!(
            "{name}: \"{}\" is not a number; write one above 0",
            value.escape_debug()
        ))
    })
}

/// A collector's base URL, to which the path of traces is added.
fn based(name: &str, base: &str) -> Result<Url, Error> {
    let mut url = parsed(name, base)?;
    let path = url.path().trim_end_matches('/');
    if !path.ends_with("/v1/traces") {
        let path = format!("{path}/v1/traces");
        url.set_path(&path);
    }
    Ok(url)
}

fn parsed(name: &str, text: &str) -> Result<Url, Error> {
    // The text itself may hold a password: it is not repeated.
    let wrong = |why: &str| {
        Error::Settings(format!(
            "{name}: {why}; write a collector's URL, as in http://127.0.0.1:4318"
        ))
    };
    let url = Url::parse(text).map_err(|_| wrong("it is no URL"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("its scheme is neither http nor https"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong(
            "it holds a user or a password, which belong into OTEL_EXPORTER_OTLP_HEADERS",
        ));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(setting: Option<&str>, set: &[(&str, &str)]) -> Result<Option<Config>, Error> {
        Config::read(setting, |name| {
            let found = set.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_setting_comes_before_the_variable_for_traces_and_that_before_the_general_one() {
        let general = ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://c.example/otel/");
        let own = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://t.example/in");
        for (setting, set, url) in [
            (None, &[][..], None),
            (None, &[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")], None),
            (None, &[general], Some("https://c.example/otel/v1/traces")),
            (None, &[general, own], Some("http://t.example/in")),
            (
                Some("http://127.0.0.1:4318"),
                &[general, own],
                Some("http://127.0.0.1:4318/v1/traces"),
            ),
            (
                Some("http://127.0.0.1:4318/v1/traces"),
                &[],
                Some("http://127.0.0.1:4318/v1/traces"),
            ),
            (
                Some("http://127.0.0.1:4318"),
                &[("OTEL_SDK_DISABLED", "TRUE")],
                None,
            ),
            (
                Some("http://127.0.0.1:4318"),
                &[("OTEL_TRACES_EXPORTER", "none")],
                None,
            ),
        ] {
            let config = read(setting, set).unwrap();
            let read = config.as_ref().map(|config| config.endpoint.as_str());
            assert_eq!(read, url, "{setting:?} {set:?}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_refused_by_its_name_and_without_its_secret() {
        let headers = "OTEL_EXPORTER_OTLP_HEADERS";
        for (endpoint, name, value) in [
            ("not a url planted", "otlp_endpoint", ""),
            ("grpc://c.example planted", "otlp_endpoint", ""),
            ("http://me:planted@c.example", "otlp_endpoint", ""),
            ("http://c.example", headers, "planted"),
            ("http://c.example", headers, "key=%ffplanted"),
            ("http://c.example", headers, "a b=planted"),
            ("http://c.example", "OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("http://c.example", "OTEL_EXPORTER_OTLP_TIMEOUT", "0"),
            ("http://c.example", "OTEL_BSP_MAX_QUEUE_SIZE", "many"),
            ("http://c.example", "OTEL_TRACES_SAMPLER", "sometimes"),
            ("http://c.example", "OTEL_RESOURCE_ATTRIBUTES", "planted"),
        ] {
            let refused = read(Some(endpoint), &[(name, value)]).unwrap_err();
            let text = refused.to_string();
            assert!(text.starts_with(&format!("{name}: ")), "{text}");
            assert!(!text.contains("planted"), "{text}");
        }
        let ratio = [
            ("OTEL_TRACES_SAMPLER", "traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "1.5"),
        ];
        let refused = read(Some("http://c.example"), &ratio).unwrap_err();
        assert!(refused.to_string().contains("from 0 to 1"), "{refused}");
    }

    #[test]
    fn headers_are_decoded_and_kept_out_of_what_is_printed() {
        let set = [("OTEL_EXPORTER_OTLP_HEADERS", "x-key=pl%61nted, x-b = c")];
        let config = read(Some("http://c.example"), &set).unwrap().unwrap();
        assert_eq!(config.headers["x-key"], "planted");
        assert_eq!(config.headers["x-b"], "c");
        assert!(!format!("{config:?} {:?}", config.headers).contains("planted"));
    }

    #[test]
    fn the_resource_has_a_name_that_the_environment_may_change() {
        let name = |set: &[(&str, &str)]| {
            let config = read(Some("http://c.example"), set).unwrap().unwrap();
            let name = config.resource.get(&"service.name".into());
            name.map(|name| name.to_string())
        };
        assert_eq!(name(&[]).as_deref(), Some("trunkline"));
        let attribute = ("OTEL_RESOURCE_ATTRIBUTES", "service.name=a%20b,zone=1");
        assert_eq!(name(&[attribute]).as_deref(), Some("a b"));
        let own = ("OTEL_SERVICE_NAME", "c");
        assert_eq!(name(&[attribute, own]).as_deref(), Some("c"));
    }
}

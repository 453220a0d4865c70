//! Where SIP goes: addresses, host names, destinations, edges.

use std::{fmt, net::Ipv4Addr, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::problem::{Invalid, text_newtype};

/// A single IPv4 address that can be reached from the internet.
///
/// Private, loopback, link-local, documentation, multicast and reserved ranges are refused (the
/// IANA special-purpose registry): Exotel answers error 1002 to them, and only after the trunk
/// exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicIpv4(Ipv4Addr);

impl PublicIpv4 {
    /// The address.
    #[must_use]
    pub fn get(self) -> Ipv4Addr {
        self.0
    }
}

/// Why an address is not reachable from the internet, if so.
fn special_purpose(ip: Ipv4Addr) -> Option<&'static str> {
    let [a, b, c, _] = ip.octets();
    match (a, b, c) {
        (0, ..) => Some("means \"this network\""),
        _ if ip.is_private() => Some("is private"),
        _ if ip.is_loopback() => Some("is loopback"),
        _ if ip.is_link_local() => Some("is link-local"),
        _ if ip.is_documentation() => Some("is reserved for documentation"),
        (100, 64..=127, _) => Some("is shared by carriers (100.64.0.0/10)"),
        (192, 0, 0) => Some("is reserved for protocols (192.0.0.0/24)"),
        (192, 88, 99) => Some("is a retired relay address (192.88.99.0/24)"),
        (198, 18 | 19, _) => Some("is reserved for benchmarks (198.18.0.0/15)"),
        (224..=239, ..) => Some("is multicast"),
        (240.., ..) => Some("is reserved"),
        _ => None,
    }
}

impl FromStr for PublicIpv4 {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let bare = match text.split_once('/') {
            None => text,
            Some((ip, "32")) => ip,
            Some(_) => {
                return Err(Invalid(format!(
                    "\"{}\" is a range; Exotel takes only single addresses (/32) for voice-AI trunks, so list each address",
                    text.escape_debug()
                )));
            }
        };
        let ip: Ipv4Addr = bare.parse().map_err(|_| {
            Invalid(format!(
                "\"{}\" is not an IPv4 address; write four numbers from 0 to 255 with dots",
                text.escape_debug()
            ))
        })?;
        match special_purpose(ip) {
            None => Ok(Self(ip)),
            Some(why) => Err(Invalid(format!(
                "{ip} {why}; give the public address that the partner sends from"
            ))),
        }
    }
}

impl TryFrom<String> for PublicIpv4 {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<PublicIpv4> for String {
    fn from(ip: PublicIpv4) -> String {
        ip.to_string()
    }
}

impl fmt::Display for PublicIpv4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A fully qualified domain name: 4 to 253 characters, at least two labels of letters, digits and
/// inner hyphens (RFC 1123), the last one not only digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostName(String);
text_newtype!(HostName);

impl HostName {
    fn validate(text: &str) -> Result<(), Invalid> {
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let last_has_letter = text
            .rsplit('.')
            .next()
            .is_some_and(|last| last.bytes().any(|b| b.is_ascii_alphabetic()));
        if (4..=253).contains(&text.len())
            && text.contains('.')
            && text.split('.').all(label)
            && last_has_letter
        {
            return Ok(());
        }
        if text.ends_with('.') {
            return Err(Invalid(format!(
                "\"{}\" ends with a dot; write the host name without it",
                text.escape_debug()
            )));
        }
        Err(Invalid(format!(
            "\"{}\" is not a host name; write it bare and in full, such as sip.partner.example, without scheme, user, path or blanks",
            text.escape_debug()
        )))
    }
}

/// An address or a name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// An address; as a destination it must be on the trunk's ACL first.
    Ip(PublicIpv4),
    /// A name.
    Name(HostName),
}

impl FromStr for Host {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let looks_like_address = text
            .bytes()
            .all(|b| b.is_ascii_digit() || b == b'.' || b == b'/');
        if looks_like_address && !text.is_empty() {
            text.parse().map(Self::Ip)
        } else {
            text.parse().map(Self::Name)
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(ip) => ip.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

/// How SIP is carried. Exotel has no UDP for these flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// TLS.
    Tls,
    /// TCP.
    Tcp,
}

impl Transport {
    /// Its name in a SIP URI.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tls => "tls",
            Self::Tcp => "tcp",
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Transport {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text {
            "tls" => Ok(Self::Tls),
            "tcp" => Ok(Self::Tcp),
            other => Err(Invalid(format!(
                "\"{}\" is not a transport that Exotel supports; write tls or tcp",
                other.escape_debug()
            ))),
        }
    }
}

/// Where Exotel sends inbound calls: `host:port;transport=tls` or `...=tcp`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Destination {
    /// The partner's host.
    pub host: Host,
    /// Its port, 1 to 65535.
    pub port: u16,
    /// How SIP is carried.
    pub transport: Transport,
}

impl Destination {
    /// Whether `echo`, as Exotel lists it, is this destination: case and a `sip:` in front do not
    /// count.
    #[must_use]
    pub fn matches(&self, echo: &str) -> bool {
        let echo = echo.trim();
        let bare = match echo.get(..4) {
            Some(scheme) if scheme.eq_ignore_ascii_case("sip:") => &echo[4..],
            _ => echo,
        };
        bare.eq_ignore_ascii_case(&self.to_string())
    }
}

impl FromStr for Destination {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong = |why: &str| {
            Invalid(format!(
                "\"{}\" is not a destination: {why}; write host:port;transport=tls or host:port;transport=tcp",
                text.escape_debug()
            ))
        };
        let (address, parameter) = text
            .split_once(';')
            .ok_or_else(|| wrong("the transport is missing"))?;
        let transport = parameter
            .strip_prefix("transport=")
            .ok_or_else(|| wrong("after ; comes transport= and nothing else"))?
            .parse::<Transport>()?;
        let (host, port) = address
            .rsplit_once(':')
            .ok_or_else(|| wrong("the port is missing"))?;
        let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
        let port = match port.parse::<u16>() {
            Ok(port) if port > 0 && digits => port,
            _ => return Err(wrong("the port is a number from 1 to 65535")),
        };
        Ok(Self {
            host: host.parse()?,
            port,
            transport,
        })
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{};transport={}",
            self.host, self.port, self.transport
        )
    }
}

impl TryFrom<String> for Destination {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<Destination> for String {
    fn from(destination: Destination) -> String {
        destination.to_string()
    }
}

/// Where the partner's side sends its SIP: what Exotel assigned to the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edge {
    /// Host name or address, as Exotel gave it.
    pub host: String,
    /// Port: 443 for TLS and 5070 for TCP on Exotel's published edges.
    pub port: u16,
    /// How SIP is carried.
    pub transport: Transport,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_no_call_can_come_from_are_refused() {
        for bad in [
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "127.0.0.1",
            "169.254.1.1",
            "192.0.2.1",
            "198.51.100.7",
            "203.0.113.50",
            "100.64.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "0.0.0.0",
            "44.248.146.0/24",
            "44.248.146.11/31",
            "44.248.146",
            "::1",
            "",
            "44.248.146.011",
        ] {
            assert!(bad.parse::<PublicIpv4>().is_err(), "{bad}");
        }
        for good in ["44.248.146.11", "44.248.146.11/32", "172.32.0.1"] {
            assert!(good.parse::<PublicIpv4>().is_ok(), "{good}");
        }
    }

    #[test]
    fn a_destination_has_host_port_and_tls_or_tcp() {
        for good in [
            "sip.partner.example:5061;transport=tls",
            "44.248.146.11:5060;transport=tcp",
        ] {
            assert_eq!(good.parse::<Destination>().unwrap().to_string(), good);
        }
        for bad in [
            "",
            "sip.partner.example",
            "sip.partner.example:5061",
            "sip.partner.example:5060;transport=udp",
            "sip:sip.partner.example:5061;transport=tls",
            "user@sip.partner.example:5061;transport=tls",
            "sip.partner.example:0;transport=tls",
            "sip.partner.example:65536;transport=tls",
            "sip.partner.example:+61;transport=tls",
            "10.0.0.1:5061;transport=tls",
            "203.0.113.9:5061;transport=tls",
            "localhost:5061;transport=tls",
            "sip.partner.example:5061;transport=tls;lr",
            "sip..example:5061;transport=tls",
            "sip.partner.example:5061;transport=TLS",
        ] {
            assert!(bad.parse::<Destination>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_dot_at_the_end_of_a_host_name_is_named() {
        for host in [
            "sip.partner.example.",
            "sip.partner.example.:5061;transport=tls",
        ] {
            let told = match host.split_once(':') {
                None => host.parse::<HostName>().unwrap_err(),
                Some(_) => host.parse::<Destination>().unwrap_err(),
            };
            assert!(told.0.contains("ends with a dot"), "{told:?}");
        }
    }

    #[test]
    fn an_echo_matches_without_its_scheme_and_in_any_case() {
        let wanted: Destination = "sip.partner.example:5061;transport=tls".parse().unwrap();
        assert!(wanted.matches("sip:SIP.Partner.example:5061;transport=TLS"));
        assert!(wanted.matches("sip.partner.example:5061;transport=tls"));
        assert!(!wanted.matches("sip:sip.partner.example:5060;transport=tcp"));
        assert!(!wanted.matches("\u{e9}\u{e9}"));
    }
}

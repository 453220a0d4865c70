//! Who is at the other end.

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use axum::extract::FromRequestParts;
use http::{HeaderMap, request::Parts};
use ipnet::IpNet;

/// Most hops of an `X-Forwarded-For` that are looked at.
const HOPS_MAX: usize = 32;

/// The address of the client: of the connection, or what a trusted proxy says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

impl Peer {
    /// Somebody of whom nothing is known.
    pub(crate) const UNKNOWN: Self = Self(IpAddr::V4(Ipv4Addr::UNSPECIFIED));

    /// The last hop that is not a proxy of ours. What stands before it anybody could have written.
    pub(crate) fn behind(self, trusted: &[IpNet], headers: &HeaderMap) -> Self {
        let mut peer = self;
        let hops = headers.get_all("x-forwarded-for").into_iter().rev();
        let hops = hops
            .filter_map(|header| header.to_str().ok())
            .flat_map(|header| header.rsplit(','))
            .map(|hop| address(hop.trim()));
        for hop in hops.take(HOPS_MAX) {
            let own = peer.0.to_canonical();
            if !trusted.iter().any(|range| range.contains(&own)) {
                break;
            }
            match hop {
                Some(hop) => peer = Self(hop),
                None => break,
            }
        }
        peer
    }
}

/// The address of a hop. Some gateways write a port behind it, which is another one for every connection
/// and so says nothing of who it is.
fn address(hop: &str) -> Option<IpAddr> {
    let in_brackets = || hop.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    hop.parse()
        .ok()
        .or_else(|| Some(hop.parse::<SocketAddr>().ok()?.ip()))
        .or_else(in_brackets)
}

impl<S: Sync> FromRequestParts<S> for Peer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().copied().unwrap_or(Self::UNKNOWN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forwarded_address_counts_only_from_a_trusted_proxy() {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let proxies = ["10.0.0.1/32", "10.0.0.2/32", "10.244.0.0/16"];
        let proxies = proxies.map(|range| range.parse::<IpNet>().unwrap());
        for (case, connection, forwarded, expected) in [
            ("no proxy", "192.0.2.9", "198.51.100.1", "192.0.2.9"),
            ("a proxy", "10.0.0.1", "198.51.100.1", "198.51.100.1"),
            (
                "one of a range, as IPv6 writes it",
                "::ffff:10.244.7.9",
                "198.51.100.1",
                "198.51.100.1",
            ),
            (
                "out of the range",
                "10.245.0.1",
                "198.51.100.1",
                "10.245.0.1",
            ),
            (
                "two proxies",
                "10.0.0.1",
                "198.51.100.1, 10.0.0.2",
                "198.51.100.1",
            ),
            (
                "a made up hop in front",
                "10.0.0.1",
                "127.0.0.1, 198.51.100.1",
                "198.51.100.1",
            ),
            ("a port", "10.0.0.1", "198.51.100.1:40001", "198.51.100.1"),
            (
                "ports of ours too",
                "10.0.0.1",
                "198.51.100.1:40001, 10.0.0.2:443",
                "198.51.100.1",
            ),
            ("version 6", "10.0.0.1", "2001:db8::1", "2001:db8::1"),
            ("brackets", "10.0.0.1", "[2001:db8::1]", "2001:db8::1"),
            (
                "brackets and a port",
                "10.0.0.1",
                "[2001:db8::1]:40001",
                "2001:db8::1",
            ),
            ("half a bracket", "10.0.0.1", "[2001:db8::1", "10.0.0.1"),
            ("no port", "10.0.0.1", "198.51.100.1:", "10.0.0.1"),
            ("nonsense", "10.0.0.1", "nonsense", "10.0.0.1"),
            ("nothing", "10.0.0.1", "", "10.0.0.1"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("x-forwarded-for", forwarded.parse().unwrap());
            let found = Peer(address(connection)).behind(&proxies, &headers);
            assert_eq!(found, Peer(address(expected)), "{case}");
        }
    }
}

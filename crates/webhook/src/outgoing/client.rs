//! HTTP clients that go nowhere but where they are sent.

use std::{net::SocketAddr, sync::Arc};

use reqwest::{
    Client,
    dns::{Addrs, Name, Resolve, Resolving},
};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_platform_verifier::Verifier;

use super::{endpoint::Endpoint, pace::Pace, public::is_public};
use crate::Error;

const USER_AGENT: &str = concat!("trunkline/", env!("CARGO_PKG_VERSION"));

/// Idle connections that are kept for a host; as many as there are requests to an endpoint at once.
const IDLE_MAX: usize = 8;

/// The clients: one that connects to the internet only, and one for endpoints that may be inside.
#[derive(Debug, Clone)]
pub(super) struct Clients {
    public: Client,
    any: Client,
}

impl Clients {
    /// Without TLS nobody is trusted, and no certificates are needed on the machine.
    pub(super) fn new(pace: &Pace, speaks_tls: bool) -> Result<Self, Error> {
        let tls = tls(speaks_tls)?;
        let builder = || {
            Client::builder()
                .tls_backend_preconfigured(tls.clone())
                // A proxy would look names up itself, and so reach what is refused here.
                .no_proxy()
                .redirect(reqwest::redirect::Policy::none())
                .referer(false)
                .retry(reqwest::retry::never())
                .timeout(pace.timeout)
                .connect_timeout(pace.connect_timeout)
                .pool_max_idle_per_host(IDLE_MAX)
                .user_agent(USER_AGENT)
        };
        let built = |error: reqwest::Error| Error::Tls(error.without_url().to_string());
        Ok(Self {
            public: builder().dns_resolver(PublicOnly).build().map_err(built)?,
            any: builder().build().map_err(built)?,
        })
    }

    pub(super) fn of(&self, endpoint: &Endpoint) -> &Client {
        if endpoint.allows_private() {
            &self.any
        } else {
            &self.public
        }
    }
}

fn tls(speaks_tls: bool) -> Result<ClientConfig, Error> {
    let provider = Arc::new(ring::default_provider());
    let failed = |error: rustls::Error| Error::Tls(error.to_string());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(failed)?;
    if !speaks_tls {
        let nobody = builder.with_root_certificates(RootCertStore::empty());
        return Ok(nobody.with_no_client_auth());
    }
    let verifier = Verifier::new(provider).map_err(failed)?;
    let mut config = builder
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Looks names up for a connection that is about to be made. The connection goes to the addresses
/// that were checked and to no others, so that a name that changes its mind gains nothing.
struct PublicOnly;

/// A name of the inside. It is told to whoever reads the delivery's error.
#[derive(Debug, thiserror::Error)]
#[error("the name leads to {0}, which is not an address of the internet; see allow_private")]
struct Inside(std::net::IpAddr);

#[derive(Debug, thiserror::Error)]
#[error("the name leads nowhere")]
struct Nowhere;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            checked(found)
        })
    }
}

/// The public ones among the addresses of a name.
fn checked(found: Vec<SocketAddr>) -> Result<Addrs, Box<dyn std::error::Error + Send + Sync>> {
    let first = *found.first().ok_or(Nowhere)?;
    let public: Vec<SocketAddr> = found
        .into_iter()
        .filter(|address| is_public(address.ip()))
        .collect();
    if public.is_empty() {
        return Err(Inside(first.ip()).into());
    }
    Ok(Box::new(public.into_iter()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(found: &[&str]) -> Result<Vec<String>, String> {
        let found = found
            .iter()
            .map(|ip| SocketAddr::new(ip.parse().unwrap(), 0));
        let kept = checked(found.collect()).map_err(|error| error.to_string())?;
        Ok(kept.map(|address| address.ip().to_string()).collect())
    }

    #[test]
    fn of_a_names_addresses_only_public_ones_are_connected_to() {
        let mixed = ["10.0.0.1", "1.1.1.1", "::1", "2606:4700:4700::1111"];
        assert_eq!(kept(&mixed).unwrap(), ["1.1.1.1", "2606:4700:4700::1111"]);
        let refused = kept(&["169.254.169.254", "::1"]).unwrap_err();
        assert!(refused.contains("leads to 169.254.169.254"), "{refused}");
        assert_eq!(kept(&[]).unwrap_err(), "the name leads nowhere");
    }

    #[tokio::test]
    async fn a_name_that_leads_inside_is_not_connected_to() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let clients = Clients::new(&Pace::default(), false).unwrap();
        let url = format!("http://localhost:{port}/");
        let refused = clients.public.get(&url).send().await.unwrap_err();
        assert!(refused.is_connect(), "{refused}");
        let accepted = tokio::select! {
            _ = clients.any.get(&url).send() => None,
            accepted = listener.accept() => Some(accepted.unwrap()),
        };
        assert!(accepted.is_some(), "the other client does connect");
    }
}

//! TLS to a Redis: rustls on ring, trusting what the platform trusts and the authorities given.
//!
//! `redis` would make its own settings with the process's default provider, read the platform's
//! roots at every connection, and let given authorities replace them.

use std::sync::Arc;

use rustls::{
    ClientConfig,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};
use rustls_platform_verifier::Verifier;
use tokio_rustls::TlsConnector;

use super::failure::Failure;

/// Settings that trust the platform's roots and the PEM certificates in `extra`.
pub(super) fn connector(extra: Option<&[u8]>) -> Result<TlsConnector, Failure> {
    let roots = extra
        .map(|pem| CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>())
        .transpose()
        .map_err(|error| {
            Failure::unusable(format!(
                "what store_ca names holds no PEM certificates ({error})"
            ))
        })?;
    if roots.as_ref().is_some_and(Vec::is_empty) {
        return Err(Failure::unusable(
            "what store_ca names holds no PEM certificate",
        ));
    }
    let provider = Arc::new(ring::default_provider());
    let made = Verifier::new_with_extra_roots(roots.unwrap_or_default(), Arc::clone(&provider))
        .and_then(|verifier| {
            Ok(ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()?
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(verifier))
                .with_no_client_auth())
        });
    match made {
        Ok(config) => Ok(TlsConnector::from(Arc::new(config))),
        Err(error) => Err(Failure::unusable(format!("TLS cannot be set up ({error})"))),
    }
}

/// What a failed handshake means.
pub(super) fn failed(error: &std::io::Error) -> Failure {
    let cause = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match cause {
        Some(rustls::Error::InvalidCertificate(why)) => Failure::unusable(format!(
            "the server's certificate is not trusted ({why}): check that it was issued for the host in the URL, and set store_ca = \"FILE\" to the authority that signed it (PEM) if that is your own"
        )),
        Some(rustls::Error::InvalidMessage(_)) => Failure::unusable(
            "what answers there speaks no TLS: use redis://, or the server's tls-port",
        ),
        Some(rustls::Error::AlertReceived(alert)) => Failure::unusable(format!(
            "the server refused the TLS handshake ({alert:?}); if it asks for a client certificate, set `tls-auth-clients no` there"
        )),
        Some(_) | None => Failure::unavailable(format!(
            "the TLS handshake failed ({error}); if it stays so, the server may speak no TLS there"
        )),
    }
}

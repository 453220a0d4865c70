//! TLS: rustls on ring, trusting what the platform trusts.

use std::sync::{Arc, OnceLock};

use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_platform_verifier::Verifier;

use crate::config::ConfigError;

/// The settings for https. Reading the platform's roots takes milliseconds and hundreds of
/// kilobytes, and a process may hold thousands of clients: it is done once and shared.
pub(crate) fn verifying() -> Result<ClientConfig, ConfigError> {
    static SHARED: OnceLock<Result<ClientConfig, String>> = OnceLock::new();
    SHARED
        .get_or_init(|| {
            let provider = Arc::new(ring::default_provider());
            let verifier = Verifier::new(Arc::clone(&provider)).map_err(|e| e.to_string())?;
            let mut config = ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .map_err(|e| e.to_string())?
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(verifier))
                .with_no_client_auth();
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            Ok(config)
        })
        .clone()
        .map_err(ConfigError::Tls)
}

/// The settings for a plain http base URL, where TLS is never spoken: they trust nobody and cost
/// nothing to make. reqwest would otherwise read the platform's roots for every client.
pub(crate) fn unused() -> Result<ClientConfig, ConfigError> {
    static SHARED: OnceLock<Result<ClientConfig, String>> = OnceLock::new();
    SHARED
        .get_or_init(|| {
            Ok(
                ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
                    .with_safe_default_protocol_versions()
                    .map_err(|e| e.to_string())?
                    .with_root_certificates(RootCertStore::empty())
                    .with_no_client_auth(),
            )
        })
        .clone()
        .map_err(ConfigError::Tls)
}

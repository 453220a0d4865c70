use std::{fs, path::Path};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;

use redis_fixture::Server;

use super::*;

fn server_with(keys: &Path) -> Server {
    let file = |what: &str, name: &str| format!("{what} {}", keys.join(name).display());
    let lines = [
        "port 0".to_owned(),
        "tls-port {port}".to_owned(),
        file("tls-cert-file", "server.pem"),
        file("tls-key-file", "server.key"),
        file("tls-ca-cert-file", "ca.pem"),
        "tls-auth-clients no".to_owned(),
    ];
    Server::start(&lines.iter().map(String::as_str).collect::<Vec<_>>())
}

/// An authority, and a server's certificate for these names that it signed.
fn keys(names: &[&str]) -> (TempDir, Vec<u8>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut authority = CertificateParams::new(Vec::new()).expect("parameters");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().expect("a key"))
        .expect("an authority");
    let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
    let key = KeyPair::generate().expect("a key");
    let server = CertificateParams::new(names)
        .expect("parameters")
        .signed_by(&key, &authority)
        .expect("signed");
    let write = |name: &str, text: String| {
        fs::write(folder.path().join(name), text).expect("written");
    };
    write("ca.pem", authority.pem());
    write("server.pem", server.pem());
    write("server.key", key.serialize_pem());
    let pem = authority.pem().into_bytes();
    (folder, pem)
}

#[tokio::test]
async fn a_server_with_a_certificate_of_an_authority_that_is_given_is_trusted() {
    let (folder, ca) = keys(&["127.0.0.1", "localhost"]);
    let server = server_with(folder.path());
    for host in ["127.0.0.1", "localhost"] {
        let place = place(&format!("rediss://{host}:{}", server.port())).with_ca(ca.clone());
        let link = Link::open(&place).await.expect("trusted");
        counted(&link).await.expect("it runs");
        link.changed().await;
    }
}

#[tokio::test]
async fn a_server_that_speaks_tls_only_is_named_as_such() {
    let (folder, _) = keys(&["127.0.0.1"]);
    let server = server_with(folder.path());
    let said = Link::open(&place(&server.url())).await.map(drop);
    let Err(said) = said else { panic!("opened") };
    assert!(said.to_string().contains("rediss://"), "{said}");
}

#[tokio::test]
async fn a_server_that_is_not_trusted_or_not_the_one_of_the_url_is_refused() {
    let (folder, ca) = keys(&["redis.example"]);
    let server = server_with(folder.path());
    let (_, other_ca) = keys(&["127.0.0.1"]);
    let url = format!("rediss://127.0.0.1:{}", server.port());
    for place in [
        place(&url),
        place(&url).with_ca(other_ca),
        place(&url).with_ca(ca),
    ] {
        let said = Link::open(&place).await.map(drop);
        assert!(
            matches!(&said, Err(Error::Unusable { message, .. }) if message.contains("not trusted")),
            "{said:?}"
        );
    }
    let said = Link::open(&place(&url).with_ca(b"nothing".to_vec()))
        .await
        .map(drop);
    assert!(matches!(said, Err(Error::Unusable { .. })), "{said:?}");
}

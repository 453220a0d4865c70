//! Who is told nothing, and what is not told.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use onboarding::Secret;
use rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer};
use store::{Delivery, Then};
use tokio::{io::AsyncReadExt, net::TcpListener};
use tokio_rustls::TlsAcceptor;
use webhook::{Endpoint, Event, signature::SigningKey};

use crate::{
    place::{Place, QUICK, eventually},
    receiver::SECRET,
};

fn endpoint(url: &str) -> Endpoint {
    let key = SigningKey::parse(&Secret::new(SECRET)).unwrap();
    let events = BTreeSet::from(Event::ALL);
    Endpoint::new("crm", &Secret::new(url), vec![key], events, true).unwrap()
}

/// The only delivery, once it was tried.
async fn tried(place: &Place) -> Delivery {
    let tried = async || {
        let all = place.deliveries().await;
        all.first().is_some_and(|one| one.last.is_some())
    };
    eventually("the delivery was tried", tried).await;
    place.deliveries().await.remove(0)
}

/// A server with a certificate that it signed itself. Counts what it reads.
async fn self_signed() -> (String, Arc<AtomicUsize>) {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/planted-path", listener.local_addr().unwrap());
    let read = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&read);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let bytes = stream.read(&mut [0; 64]).await.unwrap_or(0);
            counted.fetch_add(bytes, Ordering::Relaxed);
        }
    });
    (url, read)
}

pub(crate) async fn a_receiver_with_a_certificate_that_nobody_trusts_is_told_nothing(place: Place) {
    let (url, read) = self_signed().await;
    let running = place.run(vec![endpoint(&url)], QUICK);
    place.begun().await;
    place.end(1, Then::Succeed).await;
    let (attempt, _) = tried(&place).await.last.unwrap();
    running.stop().await.unwrap();
    let error = attempt.error.unwrap();
    assert!(error.starts_with("cannot connect: "), "{error}");
    assert!(error.to_lowercase().contains("certificate"), "{error}");
    assert_eq!(read.load(Ordering::Relaxed), 0);
}

pub(crate) async fn the_path_of_a_url_is_in_no_error(place: Place) {
    // Nobody listens any more.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let url = format!("http://{address}/planted-path?planted=query");
    let running = place.run(vec![endpoint(&url)], QUICK);
    place.begun().await;
    place.end(1, Then::Succeed).await;
    let delivery = tried(&place).await;
    running.stop().await.unwrap();
    let (attempt, _) = delivery.last.clone().unwrap();
    let error = attempt.error.unwrap();
    assert!(error.starts_with("cannot connect: "), "{error}");
    assert!(!format!("{delivery:?}").contains("planted"), "{delivery:?}");
}

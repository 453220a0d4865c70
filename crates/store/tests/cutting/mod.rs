//! A way to a server on which one answer gets lost.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Stands before a server and cuts the connection instead of the first answer to a call of this
/// function. The URL of where it stands.
pub(crate) async fn cutting(to: u16, function: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let call: Arc<[u8]> = format!("_{function}\r\n").into_bytes().into();
    let cut_once = Arc::new(AtomicBool::new(false));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let Ok(server) = TcpStream::connect(("127.0.0.1", to)).await else {
                return;
            };
            let (call, cut_once) = (Arc::clone(&call), Arc::clone(&cut_once));
            tokio::spawn(pass(client, server, call, cut_once));
        }
    });
    format!("redis://127.0.0.1:{port}")
}

async fn pass(client: TcpStream, server: TcpStream, call: Arc<[u8]>, cut_once: Arc<AtomicBool>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let cut = AtomicBool::new(false);
    let up = async {
        let mut bytes = vec![0; 1 << 20];
        while let Ok(n @ 1..) = from_client.read(&mut bytes).await {
            let called = bytes[..n].windows(call.len()).any(|word| *word == *call);
            if called && !cut_once.swap(true, Ordering::SeqCst) {
                cut.store(true, Ordering::SeqCst);
            }
            if to_server.write_all(&bytes[..n]).await.is_err() {
                return;
            }
        }
    };
    let down = async {
        let mut bytes = vec![0; 1 << 20];
        while let Ok(n @ 1..) = from_server.read(&mut bytes).await {
            if cut.load(Ordering::SeqCst) || to_client.write_all(&bytes[..n]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! { () = up => {}, () = down => {} }
}

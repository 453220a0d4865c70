//! A gate in front of a server: it lets everything through until something that is looked for passes, and
//! then holds it, so that whoever sent it can be killed at that very moment.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use crate::PATIENCE;

/// What is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The question, which the server never gets.
    Question,
    /// The answer: the server did what it was asked to, and nobody learns of it.
    Answer,
}

/// A gate. Its threads end with its connections.
#[derive(Debug)]
pub struct Gate {
    address: SocketAddr,
    watch: Arc<Watch>,
}

#[derive(Debug, Default)]
struct Watch {
    looked_for: Mutex<LookedFor>,
}

#[derive(Debug, Default)]
struct LookedFor {
    markers: Vec<String>,
    side: Option<Side>,
    /// How many more pass before one is held.
    more: usize,
    held: bool,
}

impl Gate {
    /// In front of the server at `to`.
    #[must_use]
    pub fn before(to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let watch = Arc::new(Watch::default());
        let own = Arc::clone(&watch);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(client), Ok(server)) = (stream, TcpStream::connect(to)) else {
                    continue;
                };
                pass(&client, &server, &own);
            }
        });
        Self { address, watch }
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Holds the `nth` (from 1) that passes with one of these texts in it.
    pub fn hold(&self, markers: &[&str], nth: usize, side: Side) {
        let mut looked_for = self.watch.looked_for.lock().unwrap();
        *looked_for = LookedFor {
            markers: markers.iter().map(|text| (*text).to_owned()).collect(),
            side: Some(side),
            more: nth - 1,
            held: false,
        };
    }

    /// Holds nothing any more.
    pub fn open(&self) {
        *self.watch.looked_for.lock().unwrap() = LookedFor::default();
    }

    /// Whether something is held now.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.watch.looked_for.lock().unwrap().held
    }
}

impl Watch {
    /// What to do with something that passes to the server.
    fn seen(&self, chunk: &[u8]) -> Option<Side> {
        let mut own = self.looked_for.lock().unwrap();
        let side = own.side?;
        let marked = own.markers.iter().any(|marker| {
            let mut windows = chunk.windows(marker.len());
            windows.any(|window| window == marker.as_bytes())
        });
        if !marked {
            return None;
        }
        if own.more > 0 {
            own.more -= 1;
            return None;
        }
        own.side = None;
        Some(side)
    }

    fn holding(&self) {
        self.looked_for.lock().unwrap().held = true;
    }
}

/// Lets a connection through, both ways.
fn pass(client: &TcpStream, server: &TcpStream, watch: &Arc<Watch>) {
    let muted = Arc::new(AtomicBool::new(false));
    let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let (own, mute) = (Arc::clone(watch), Arc::clone(&muted));
    thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            match own.seen(&buffer[..length]) {
                Some(Side::Question) => {
                    own.holding();
                    // Until whoever sent it is gone.
                    drop(from.set_read_timeout(Some(PATIENCE)));
                    while matches!(from.read(&mut buffer), Ok(1..)) {}
                    break;
                }
                Some(Side::Answer) => mute.store(true, Ordering::SeqCst),
                None => {}
            }
            if to.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        drop(to.shutdown(Shutdown::Both));
        drop(from.shutdown(Shutdown::Both));
    });
    let (mut from, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    let own = Arc::clone(watch);
    thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            if muted.load(Ordering::SeqCst) {
                own.holding();
                continue;
            }
            if to.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        drop(to.shutdown(Shutdown::Both));
    });
}

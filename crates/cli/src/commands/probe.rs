//! `trunkline probe`: for health checks of containers, which have no other program to ask with.

use std::{
    io::{Read, Result as IoResult, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    time::Duration,
};

use serde::Serialize;

use crate::{
    args::Probe as Args,
    error::{Error, Result},
    exit::Exit,
    output::{Output, note},
    settings::Settings,
};

/// How long connecting, and each wait for the answer, may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Most bytes of an answer that are looked at: its first line, and why it is not ready.
const BYTES_MAX: u64 = 4096;

/// What was answered.
#[derive(Serialize)]
#[serde(tag = "type", rename = "probe")]
struct Probed {
    address: SocketAddr,
    ready: bool,
    status: Option<u16>,
}

/// Asks once. Status 0: it is ready; 1: it is not, or nobody answers.
pub(crate) fn run(args: &Args, settings: &Settings, output: &mut Output) -> Result<Exit> {
    let address = match (args.address, args.worker) {
        (Some(address), _) => address,
        (None, true) => settings.worker_listen.ok_or_else(|| {
            Error::refused(
                "worker_listen",
                "it is not set, so a worker tells nothing; set it, or name an address",
            )
        })?,
        (None, false) => settings.listen,
    };
    let address = SocketAddr::new(reached(address.ip()), address.port());
    let status = match ask(address) {
        Ok(status) => status,
        Err(error) => {
            note(format_args!("{address} does not answer ({error})"));
            None
        }
    };
    let ready = status == Some(200);
    output.record(&Probed {
        address,
        ready,
        status,
    });
    match status {
        Some(_) if ready => output.line("ready"),
        Some(status) => output.line(format_args!("not ready ({status})")),
        None => output.line("not ready"),
    }
    Ok(if ready { Exit::Done } else { Exit::Left })
}

/// Where whoever listens on all addresses is reached from the same machine.
fn reached(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(own) if own.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(own) if own.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        IpAddr::V4(_) | IpAddr::V6(_) => address,
    }
}

/// The status of `GET /readyz`; `None` where the answer is none of HTTP.
fn ask(address: SocketAddr) -> IoResult<Option<u16>> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let question = format!("GET /readyz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(question.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(BYTES_MAX).read_to_end(&mut answer)?;
    let text = String::from_utf8_lossy(&answer);
    let mut words = text.split(' ');
    let is_http = words
        .next()
        .is_some_and(|first| first.starts_with("HTTP/1."));
    let status = words.next().and_then(|word| word.parse().ok());
    Ok(status.filter(|_| is_http))
}

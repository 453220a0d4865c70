//! As much of Redis' protocol (RESP 2) as one command and its answer need.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::Duration,
};

const CONNECT_MAX: Duration = Duration::from_secs(1);
/// A server of a test that has not answered by then is stopped or stuck.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// Sends one command over a connection of its own. The answer as text: a list has one line per
/// item, nothing is empty.
///
/// # Errors
/// The server's error answer, or why there was none.
pub(crate) fn ask(port: u16, command: &[&str]) -> Result<String, String> {
    exchange(port, command).unwrap_or_else(|error| Err(format!("port {port}: {error}")))
}

fn exchange(port: u16, command: &[&str]) -> io::Result<Result<String, String>> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, CONNECT_MAX)?;
    stream.set_read_timeout(Some(ANSWER_MAX))?;
    let mut request = format!("*{}\r\n", command.len());
    for word in command {
        request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    stream.write_all(request.as_bytes())?;
    answer(&mut BufReader::new(stream))
}

fn answer(from: &mut impl BufRead) -> io::Result<Result<String, String>> {
    let mut line = String::new();
    from.read_line(&mut line)?;
    let line = line.trim_end();
    let Some((kind, rest)) = line.split_at_checked(1) else {
        return Err(io::ErrorKind::UnexpectedEof.into());
    };
    let number = || rest.parse::<i64>().map_err(io::Error::other);
    match kind {
        "+" | ":" => Ok(Ok(rest.to_owned())),
        "-" => Ok(Err(rest.to_owned())),
        "$" => {
            let Ok(length) = u64::try_from(number()?) else {
                return Ok(Ok(String::new()));
            };
            let mut bytes = Vec::new();
            from.take(length + 2).read_to_end(&mut bytes)?;
            bytes.truncate(bytes.len().saturating_sub(2));
            Ok(Ok(String::from_utf8_lossy(&bytes).into_owned()))
        }
        "*" => {
            let mut items = Vec::new();
            for _ in 0..number()? {
                match answer(from)? {
                    Ok(item) => items.push(item),
                    refused @ Err(_) => return Ok(refused),
                }
            }
            Ok(Ok(items.join("\n")))
        }
        _ => Err(io::Error::other(format!("not RESP: {line}"))),
    }
}

/// The length of what an append-only file begins with: whole commands outside of transactions, and
/// whole transactions.
pub(crate) fn whole_transactions(file: &[u8]) -> usize {
    let mut whole = 0;
    let mut within = false;
    let mut at = 0;
    while let Some((name, length)) = first_command(&file[at..]) {
        at += length;
        within = match name {
            b"MULTI" => true,
            b"EXEC" => false,
            _ => within,
        };
        if !within {
            whole = at;
        }
    }
    whole
}

/// The name of the command at the start, and its length; `None` where it is cut off.
fn first_command(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let (words, mut at) = number_after(b'*', bytes)?;
    let mut name = &bytes[..0];
    for word in 0..words {
        let (length, start) = number_after(b'$', bytes.get(at..)?)?;
        let start = at + start;
        let text = bytes.get(start..start + length)?;
        if word == 0 {
            name = text;
        }
        at = start + length + 2;
    }
    (at <= bytes.len()).then_some((name, at))
}

fn number_after(mark: u8, bytes: &[u8]) -> Option<(usize, usize)> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let digits = bytes.strip_prefix(&[mark])?.get(..end.checked_sub(2)?)?;
    let number = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some((number, end + 1))
}

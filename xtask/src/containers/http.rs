//! One request over a connection of its own: enough to stand where a proxy would.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

const PATIENCE: Duration = Duration::from_secs(20);

/// What was answered.
pub(super) struct Answer {
    pub(super) status: u16,
    /// Name and value of the first cookie that it sets.
    pub(super) cookie: Option<String>,
    pub(super) text: String,
}

/// Asks once.
pub(super) fn ask(
    to: SocketAddr,
    method: &str,
    path: &str,
    headers: &[&str],
    body: &str,
) -> Result<Answer, String> {
    let failed = |error: std::io::Error| format!("{method} {path} of {to}: {error}");
    let mut stream = TcpStream::connect_timeout(&to, PATIENCE).map_err(failed)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n");
    for header in headers {
        head.push_str(header);
        head.push_str("\r\n");
    }
    let length = body.len();
    let whole = format!("{head}Content-Length: {length}\r\n\r\n{body}");
    stream.write_all(whole.as_bytes()).map_err(failed)?;
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).map_err(failed)?;
    let answered = String::from_utf8_lossy(&bytes).into_owned();
    answer(&answered).ok_or_else(|| format!("{method} {path} of {to}: no HTTP: {answered}"))
}

fn answer(text: &str) -> Option<Answer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.1 ")?.split(' ').next()?;
    let cookie = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        let set = name.eq_ignore_ascii_case("set-cookie");
        set.then(|| value.split(';').next().unwrap_or_default().to_owned())
    });
    Some(Answer {
        status: status.parse().ok()?,
        cookie,
        text: body.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_with_its_status_and_its_cookie() {
        let own = answer("HTTP/1.1 401 no\r\nSet-Cookie: a=b; Path=/\r\n\r\nbody").unwrap();
        assert_eq!((own.status, own.text.as_str()), (401, "body"));
        assert_eq!(own.cookie.as_deref(), Some("a=b"));
        assert!(answer("nothing").is_none());
    }
}

//! One HTTP request to the simulator's controls. A connection each, so that none is left that the
//! simulator would count.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

use serde_json::Value;

use crate::PATIENCE;

/// Sends it and gives the answer's body, `Null` where there is none.
pub(crate) fn send(to: SocketAddr, method: &str, path: &str, body: &str) -> Value {
    let mut stream = TcpStream::connect(to).expect("the simulator listens");
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: {to}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("the simulator takes the request");
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .expect("the simulator answers");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a whole answer");
    let status = head.split(' ').nth(1).unwrap_or_default();
    assert!(
        status.starts_with('2'),
        "{method} {path} answered {status}: {body}"
    );
    if body.is_empty() {
        Value::Null
    } else {
        serde_json::from_str(body).expect("the controls answer JSON")
    }
}

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Mutex, PoisonError},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

use redis_fixture::Server;

use super::*;

/// Answers to come, by command.
type Answers = Vec<(&'static str, VecDeque<String>)>;

/// A server that says it has WAITAOF and answers it as told. It keeps what it was sent, so that
/// what goes in front of a WAITAOF can be looked at.
#[derive(Clone, Default)]
struct Scripted {
    /// When none is left for a command, it does as a server without trouble.
    answers: Arc<Mutex<Answers>>,
    /// Names of commands, in the order of their coming.
    heard: Arc<Mutex<Vec<String>>>,
    /// How long WAITAOF takes.
    disk: Duration,
}

impl Scripted {
    fn answering(self, command: &'static str, answers: &[&str]) -> Self {
        let answers = answers.iter().map(|&text| text.to_owned()).collect();
        self.answers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((command, answers));
        self
    }

    async fn start(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let scripted = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let scripted = scripted.clone();
                tokio::spawn(async move { scripted.serve(stream).await });
            }
        });
        address
    }

    async fn serve(&self, stream: TcpStream) {
        let (read, mut write) = stream.into_split();
        let mut read = BufReader::new(read);
        while let Some(command) = command(&mut read).await {
            self.heard
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(command.clone());
            if command == "WAITAOF" {
                tokio::time::sleep(self.disk).await;
            }
            let answer = self.answer(&command);
            if write.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }

    fn answer(&self, command: &str) -> String {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let told = answers
            .iter_mut()
            .find(|(name, _)| *name == command)
            .and_then(|(_, answers)| answers.pop_front());
        match (told, command) {
            (Some(answer), _) => answer,
            (None, "INFO") => {
                let info = "redis_version:7.4.0\r\nrole:master\r\naof_enabled:1\r\nmaxmemory_policy:noeviction\r\n";
                format!("${}\r\n{info}\r\n", info.len())
            }
            (None, "FCALL" | "EXISTS") => ":7\r\n".to_owned(),
            (None, "FUNCTION") => "$4\r\ntest\r\n".to_owned(),
            (None, "WAITAOF") => "*2\r\n:1\r\n:0\r\n".to_owned(),
            (None, _) => "+OK\r\n".to_owned(),
        }
    }

    fn heard(&self, command: &str) -> usize {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.iter().filter(|name| *name == command).count()
    }
}

/// The name of the next command, without its arguments.
async fn command(read: &mut BufReader<tokio::net::tcp::OwnedReadHalf>) -> Option<String> {
    let count = header(read).await?;
    let mut name = None;
    for _ in 0..count {
        let length = header(read).await?;
        let mut word = vec![0; length + 2];
        read.read_exact(&mut word).await.ok()?;
        word.truncate(length);
        name.get_or_insert(String::from_utf8_lossy(&word).to_ascii_uppercase());
    }
    name
}

async fn header(read: &mut BufReader<tokio::net::tcp::OwnedReadHalf>) -> Option<usize> {
    let mut line = String::new();
    read.read_line(&mut line).await.ok()?;
    line.get(1..)?.trim_end().parse().ok()
}

async fn durable(link: &Link) -> Result<Value> {
    link.run_durable(&count(), &["{trunkline}:n"], NONE).await
}

#[tokio::test]
async fn concurrent_durable_writes_share_the_wait_for_the_disk() {
    let server = Scripted {
        disk: Duration::from_millis(50),
        ..Scripted::default()
    };
    let address = server.start().await;
    let link = link(&format!("redis://{address}")).await;
    let mut writes = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let link = Arc::clone(&link);
        writes.spawn(async move { durable(&link).await });
    }
    while let Some(write) = writes.join_next().await {
        assert_eq!(write.expect("no panic").expect("written"), Value::Int(7));
    }
    assert_eq!(server.heard("FCALL"), 200);
    // At best one group of all; those that came while one waited share the next.
    let waits = server.heard("WAITAOF");
    assert!((1..=4).contains(&waits), "{waits}");
}

#[tokio::test]
async fn a_disk_that_does_not_answer_leaves_it_open_whether_a_write_was_accepted() {
    let server = Scripted::default().answering("WAITAOF", &["*2\r\n:0\r\n:0\r\n"]);
    let address = server.start().await;
    let link = link(&format!("redis://{address}")).await;
    let said = durable(&link).await;
    assert!(
        matches!(&said, Err(Error::Unavailable { message, .. }) if message.contains("may or may not")),
        "{said:?}"
    );
    assert_eq!(durable(&link).await.expect("written"), Value::Int(7));
}

#[tokio::test]
async fn an_unknown_script_is_loaded_and_its_write_waited_for() {
    let server = Scripted::default().answering("FCALL", &["-ERR Function not found\r\n", ":8\r\n"]);
    let address = server.start().await;
    let link = link(&format!("redis://{address}")).await;
    assert_eq!(durable(&link).await.expect("written"), Value::Int(8));
    let heard = server.heard.lock().unwrap_or_else(PoisonError::into_inner);
    let tail: Vec<_> = heard
        .iter()
        .rev()
        .take(3)
        .rev()
        .map(String::as_str)
        .collect();
    assert_eq!(tail, ["FUNCTION", "FCALL", "WAITAOF"]);
}

#[tokio::test]
async fn one_write_that_is_refused_does_not_spoil_the_others_of_its_group() {
    let server = Scripted::default().answering("FCALL", &["-ERR a mistake\r\n"]);
    let address = server.start().await;
    let link = link(&format!("redis://{address}")).await;
    let (first, second) = tokio::join!(durable(&link), durable(&link));
    assert!(matches!(first, Err(Error::Corrupt { .. })), "{first:?}");
    assert_eq!(second.expect("written"), Value::Int(7));
}

#[tokio::test]
async fn a_file_that_was_turned_off_does_not_stop_writes() {
    let off = "-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.\r\n";
    let server = Scripted::default().answering("WAITAOF", &[off]);
    let address = server.start().await;
    let link = link(&format!("redis://{address}")).await;
    assert_eq!(durable(&link).await.expect("written"), Value::Int(7));
}

#[tokio::test]
async fn a_server_without_the_file_is_written_to_the_normal_way() {
    let server = Server::start(&[]);
    let link = link(&server.url()).await;
    assert_eq!(durable(&link).await.expect("written"), Value::Int(1));
}

#[tokio::test]
async fn a_server_that_tells_when_it_is_on_disk_has_a_write_there_when_it_is_answered() {
    let Some(mut server) = Server::newer(&["appendonly yes", "appendfsync always"]) else {
        return;
    };
    let link = link(&server.url()).await;
    let mut writes = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let link = Arc::clone(&link);
        writes.spawn(async move { durable(&link).await });
    }
    while let Some(write) = writes.join_next().await {
        write.expect("no panic").expect("written");
    }
    server.kill();
    server.restart();
    assert_eq!(counted_at_last(&link).await, Value::Int(101));
}

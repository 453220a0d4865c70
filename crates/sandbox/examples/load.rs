//! What a request costs the simulator: requests per second, and the server's own CPU time.
//!
//! ```sh
//! cargo run --release -p sandbox --example load                 # 20,000 requests of each kind
//! cargo run --release -p sandbox --example load -- 50000 8      # requests of each kind, connections
//! cargo run --release -p sandbox --example load -- 20000 4 /tmp/load.journal
//! ```
//!
//! The simulator runs in a child process, so that its CPU time is told apart from the client's;
//! the client speaks over plain sockets, one request at a time on each connection. CPU time is
//! what counts: requests per second depend on what else the machine does. Linux only, since the
//! figures come from `/proc`. It ends by itself.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use sandbox::{Limits, Options, Sandbox};

/// The longest that one kind of request is measured.
const LONGEST: Duration = Duration::from_secs(30);

/// Clock ticks per second in `/proc/PID/stat`: the same on all Linux systems of today.
const TICKS_PER_SECOND: f64 = 100.0;

/// The first argument of the child process.
const SERVE: &str = "serve";

fn main() -> io::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.first().is_some_and(|first| first == SERVE) {
        return serve(args.get(1));
    }
    let number = |at: usize, default: usize| match args.get(at) {
        None => Ok(default),
        Some(text) => text
            .parse()
            .map_err(|_| io::Error::other(format!("{text}: must be a whole number"))),
    };
    let (count, connections) = (number(0, 20_000)?, number(1, 4)?.max(1));
    let server = Server::start(args.get(2))?;
    let mut out = io::stdout().lock();
    run(&server, &mut out, count, connections)
}

/// What is measured, in this order: method, path and body. `SID` stands for a trunk, `NUMBER` for
/// the request's number in 8 digits.
const KINDS: [[&str; 3]; 8] = [
    [
        "POST",
        "trunks",
        r#"{"trunk_name":"load_NUMBER","nso_code":"ANY-ANY","domain_name":"acme1.pstn.exotel.com"}"#,
    ],
    [
        "POST",
        "trunks/SID/phone-numbers",
        r#"{"phone_number":"+9180NUMBER"}"#,
    ],
    [
        "POST",
        "trunks/SID/whitelisted-ips",
        r#"{"ip":"8.8.8.8","mask":32}"#,
    ],
    [
        "POST",
        "trunks/SID/credentials",
        r#"{"user_name":"agent","password":"made_up_1"}"#,
    ],
    [
        "POST",
        "trunks/SID/destination-uris",
        r#"{"destinations":[{"destination":"sip.example.com:5061;transport=tls"}]}"#,
    ],
    [
        "POST",
        "trunks/SID/settings",
        r#"{"settings":[{"name":"trunk_external_alias","value":"+918047110000"}]}"#,
    ],
    ["GET", "trunks/SID/credentials", ""],
    ["GET", "trunks?page_size=50", ""],
];

fn run(server: &Server, out: &mut impl Write, count: usize, connections: usize) -> io::Result<()> {
    writeln!(
        out,
        "{count} requests of each kind on {connections} connections"
    )?;
    writeln!(
        out,
        "{:<34}{:>10}{:>16}",
        "request", "per second", "server CPU, us"
    )?;
    let mut trunks: Vec<String> = Vec::new();
    for [method, path, body] in KINDS {
        let make = |n: usize| {
            let sid = trunks
                .get(n % trunks.len().max(1))
                .map_or("", String::as_str);
            let body = body.replace("NUMBER", &format!("{n:08}"));
            request(method, &path.replace("SID", sid), &body)
        };
        let name = format!("{method} {path}");
        let sids = measure(server, out, &name, count, connections, &make)?;
        if trunks.is_empty() {
            trunks = sids;
        }
    }
    Ok(())
}

fn serve(journal: Option<&String>) -> io::Result<()> {
    let limits = Limits {
        requests_per_minute: u32::MAX,
        connections: 10_000,
        ..Limits::default()
    };
    let options = Options {
        limits,
        journal: journal.map(Into::into),
        ..Options::default()
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let running = Sandbox::open(options)?.start(listener)?;
        writeln!(io::stdout(), "{}", running.addr())?;
        // Its standard input closes when its parent ends, however it ends.
        tokio::task::spawn_blocking(|| io::stdin().read_to_end(&mut Vec::new())).await??;
        running.stop().await;
        Ok(())
    })
}

/// The child process; it ends with this one.
struct Server {
    child: Child,
    addr: SocketAddr,
}

impl Server {
    fn start(journal: Option<&String>) -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(SERVE)
            .args(journal)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out).read_line(&mut line)?;
        }
        let addr = line.trim().parse();
        let addr = addr.map_err(|_| io::Error::other("the simulator did not start"))?;
        Ok(Self { child, addr })
    }

    /// CPU seconds that all of its threads have used, in user and kernel mode.
    fn cpu(&self) -> io::Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name, in parentheses, may hold blanks; 11 fields follow it before utime and stime.
        let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let ticks = fields.split_whitespace().skip(11).take(2);
        Ok(ticks.filter_map(|t| t.parse::<f64>().ok()).sum::<f64>() / TICKS_PER_SECOND)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Sends `count` requests, prints a line, and gives the trunk SID of each answer.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn measure(
    server: &Server,
    out: &mut impl Write,
    name: &str,
    count: usize,
    connections: usize,
    make: &(impl Fn(usize) -> String + Sync),
) -> io::Result<Vec<String>> {
    let (started, cpu) = (Instant::now(), server.cpu()?);
    let done: Vec<io::Result<(usize, Vec<String>)>> = thread::scope(|scope| {
        let run = |at| move || drive(server.addr, (at..count).step_by(connections), make);
        let threads: Vec<_> = (0..connections).map(|at| scope.spawn(run(at))).collect();
        let gone = || io::Error::other("a client thread panicked");
        let join = |thread: thread::ScopedJoinHandle<'_, _>| thread.join().map_err(|_| gone())?;
        threads.into_iter().map(join).collect()
    });
    let (seconds, cpu) = (started.elapsed().as_secs_f64(), server.cpu()? - cpu);
    let (mut sent, mut kept) = (0, Vec::new());
    for one in done {
        let (count, sids) = one?;
        sent += count;
        kept.extend(sids);
    }
    let (sent, micros) = (sent.max(1) as f64, cpu * 1e6);
    writeln!(
        out,
        "{name:<34}{:>10.0}{:>16.1}",
        sent / seconds,
        micros / sent
    )?;
    Ok(kept)
}

fn drive(
    addr: SocketAddr,
    numbers: impl Iterator<Item = usize>,
    make: &(impl Fn(usize) -> String + Sync),
) -> io::Result<(usize, Vec<String>)> {
    let mut stream = TcpStream::connect(addr)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(LONGEST))?;
    let mut answer = BufReader::new(stream.try_clone()?);
    let (started, mut sent, mut kept) = (Instant::now(), 0, Vec::new());
    for number in numbers {
        if started.elapsed() > LONGEST {
            break;
        }
        stream.write_all(make(number).as_bytes())?;
        kept.extend(sid(&read(&mut answer)?).map(str::to_owned));
        sent += 1;
    }
    Ok((sent, kept))
}

/// Reads one answer, which must be a success.
fn read(answer: &mut impl BufRead) -> io::Result<String> {
    let (mut line, mut status, mut length) = (String::new(), String::new(), 0);
    loop {
        line.clear();
        answer.read_line(&mut line)?;
        let text = line.trim_end();
        if text.is_empty() {
            break;
        }
        if status.is_empty() {
            text.clone_into(&mut status);
        }
        if let Some(value) = text.strip_prefix("content-length: ") {
            length = value.parse().map_err(io::Error::other)?;
        }
    }
    let mut body = vec![0; length];
    answer.read_exact(&mut body)?;
    let body = String::from_utf8_lossy(&body).into_owned();
    if status != "HTTP/1.1 200 OK" || body.contains("\"failure\"") {
        return Err(io::Error::other(format!("{status}: {body}")));
    }
    Ok(body)
}

fn request(method: &str, path: &str, body: &str) -> String {
    let head = format!(
        "{method} /v2/accounts/acme1/{path} HTTP/1.1\r\nhost: localhost\r\naccept: */*\r\n\
         authorization: Basic a2V5OnRva2Vu\r\n"
    );
    if body.is_empty() {
        return head + "\r\n";
    }
    let length = body.len();
    format!("{head}content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}")
}

fn sid(body: &str) -> Option<&str> {
    let (_, rest) = body.split_once("\"trunk_sid\":\"")?;
    Some(rest.split_once('"')?.0)
}

//! Serves the simulator with a journal until it is killed: `serve JOURNAL`. Prints its base URL.
#![expect(clippy::print_stdout, reason = "the URL is what a caller waits for")]

use std::{io::Write as _, path::PathBuf};

use sandbox::{Options, Sandbox};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let journal = std::env::args_os().nth(1).map(PathBuf::from);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let options = Options {
        journal,
        ..Options::default()
    };
    let running = Sandbox::open(options)?.start(listener)?;
    println!("{}", running.base_url());
    std::io::stdout().flush()?;
    std::future::pending::<()>().await;
    Ok(())
}

//! `trunkline completions`.

use clap::CommandFactory;

use crate::{
    args::{Cli, Completions},
    exit::Exit,
    output::Output,
};

/// Prints a completion script.
pub(crate) fn run(args: &Completions, output: &mut Output) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "trunkline", &mut script);
    output.text(format_args!("{}", String::from_utf8_lossy(&script)));
    Exit::Done
}

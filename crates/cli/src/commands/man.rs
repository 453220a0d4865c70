//! `trunkline man`.

use std::path::Path;

use clap::CommandFactory;

use crate::{
    args::{Cli, Man},
    error::{Error, Result},
    exit::Exit,
    output::{Output, note},
};

/// Prints the manual page, or writes one per command.
pub(crate) fn run(args: &Man, output: &mut Output) -> Result<Exit> {
    match &args.out {
        Some(folder) => write_all(folder)?,
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::command())
                .render(&mut page)
                .map_err(|error| Error::failed("the manual page", &error))?;
            output.text(format_args!("{}", String::from_utf8_lossy(&page)));
        }
    }
    Ok(Exit::Done)
}

fn write_all(folder: &Path) -> Result<()> {
    let refused = |error: std::io::Error| {
        Error::refused(
            "--out",
            format!(
                "{}: the pages cannot be written ({error})",
                folder.display()
            ),
        )
    };
    std::fs::create_dir_all(folder).map_err(refused)?;
    clap_mangen::generate_to(Cli::command(), folder).map_err(refused)?;
    note(format_args!("manual pages written to {}", folder.display()));
    Ok(())
}

//! Asking a person before something is done that cannot be taken back.

use std::io::{self, BufRead, IsTerminal, Write};

use onboarding::visible::Visible;

use crate::{
    error::{Error, Result},
    output::note,
};

/// Whether a person wants it, who is told of it first. `yes`: said so already.
///
/// # Errors
/// Refused where nobody can be asked.
pub(crate) fn confirmed(what: &str, yes: bool) -> Result<bool> {
    if yes {
        return Ok(true);
    }
    let (stdin, mut stderr) = (io::stdin(), io::stderr());
    if !stdin.is_terminal() || !stderr.is_terminal() {
        return Err(Error::refused(
            "--yes",
            format!("{what}. There is no terminal to ask on; add --yes if that is what you want"),
        ));
    }
    let asked = write!(stderr, "{}. Go on? [y/N] ", Visible(what)).and_then(|()| stderr.flush());
    asked.map_err(|error| Error::failed("stderr", &error))?;
    let mut answer = String::new();
    let read = stdin.lock().read_line(&mut answer);
    read.map_err(|error| Error::failed("stdin", &error))?;
    let wanted = matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes");
    if !wanted {
        note("nothing was changed");
    }
    Ok(wanted)
}

//! One pass over all sources.

use store::Origin;

use crate::{
    Error, checked::Checked, desk::Desk, problem::Problems, read::Records, source::Source,
};

/// What is done with the signups of a walk.
pub(crate) trait Visitor {
    /// A good signup. What is wrong with it in the light of others goes to `problems`.
    fn signup(&mut self, origin: Origin, checked: Checked, problems: &mut Problems);

    /// There is a problem: the input as a whole will be refused.
    fn refused(&mut self) {}

    /// Whether anyone still wants to know.
    fn go_on(&self) -> bool {
        true
    }
}

/// Reads and checks every signup of every source, in order.
///
/// # Errors
/// All problems, or that a source cannot be read.
pub(crate) fn walk(
    sources: Vec<Source>,
    desk: &Desk,
    visitor: &mut impl Visitor,
) -> Result<(), Error> {
    let mut problems = Problems::default();
    for (file, source) in (0..).zip(sources) {
        let name = source.name().to_owned();
        let unreadable = |source| Error::Read {
            file: name.clone(),
            source,
        };
        let mut records = Records::open(source).map_err(unreadable)?;
        while let Some(record) = records.next().map_err(unreadable)? {
            let (line, found) = match record {
                Ok(given) => (given.line, Checked::new(&given.raw, desk)),
                Err(bad) => (bad.line, Err(bad.problems)),
            };
            match found {
                Ok(checked) => visitor.signup(Origin { file, line }, checked, &mut problems),
                Err(found) => found
                    .into_iter()
                    .for_each(|problem| problems.add(&name, line, problem)),
            }
            if !problems.is_empty() {
                visitor.refused();
            }
            if !visitor.go_on() {
                return Ok(());
            }
        }
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems.into())
    }
}

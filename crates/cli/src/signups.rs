//! Signups on their way in.

use std::path::{Path, PathBuf};

use onboarding::OnboardingId;
use producer::{About, Desk, Located, Report, Source};
use store::Intake;

use crate::{
    accounts::Accounts,
    args::Input,
    error::{Error, Result},
    output::note,
    problem::Problem,
    recipe_files,
    settings::Settings,
    unreadable::cannot_be_read,
};

/// The inputs that were named.
///
/// # Errors
/// Standard input twice: the second would always be empty.
pub(crate) fn sources(input: &Input) -> Result<Vec<Source>> {
    let stdin = |path: &&PathBuf| path.as_os_str() == "-";
    if input.files.iter().filter(stdin).count() > 1 {
        return Err(Error::refused(
            "FILE",
            "standard input (-) can be read once; name it once",
        ));
    }
    Ok(input.files.iter().map(Source::from_argument).collect())
}

/// Accepts all of the input or nothing; `on_id` hears of each signup's onboarding.
pub(crate) async fn enqueue(
    input: &Input,
    accounts: &Accounts,
    settings: &Settings,
    store: &dyn Intake,
    on_id: impl FnMut(OnboardingId) + Send,
) -> Result<Report> {
    let book = recipe_files::book(settings.recipes.as_deref())?;
    let desk = Desk::new(book, accounts.for_signups());
    let about = About {
        source: Some(described(&input.files)),
        trace: None,
    };
    let report = producer::enqueue(sources(input)?, &desk, about, store, on_id)
        .await
        .map_err(refusal)?;
    for warning in &report.warnings {
        note(format_args!("warning: {warning}"));
    }
    Ok(report)
}

/// What people find a batch by: the files as they were typed.
fn described(files: &[PathBuf]) -> String {
    let names = files.iter().map(|path| match path.as_os_str() {
        stdin if stdin == "-" => "standard input".to_owned(),
        _ => path.display().to_string(),
    });
    names.collect::<Vec<_>>().join(", ")
}

/// What the producer says, as the command says it.
pub(crate) fn refusal(error: producer::Error) -> Error {
    match error {
        producer::Error::Input { problems, more } => {
            if more > 0 {
                note(format_args!(
                    "and {more} more problems, which are not listed"
                ));
            }
            Error::Refused(problems.into_iter().map(located).collect())
        }
        producer::Error::Read { file, source } => {
            let why = cannot_be_read(Path::new(&file), &source, "nothing was accepted");
            Error::Refused(vec![Problem::at(file, None, "", format!("this {why}"))])
        }
        producer::Error::Store(error) => error.into(),
        other => Error::Failed(other.to_string()),
    }
}

/// A problem of the input, as the command tells it.
pub(crate) fn located(problem: Located) -> Problem {
    Problem::at(
        problem.file,
        Some(problem.line).filter(|line| *line > 0),
        problem.field,
        problem.message,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_described_by_its_files_as_they_were_typed() {
        let files = ["a.csv", "-", "../b.jsonl"].map(PathBuf::from);
        assert_eq!(described(&files), "a.csv, standard input, ../b.jsonl");
    }
}

//! Uploading signups: check, show the plan, enqueue.

use std::{path::Path as FilePath, sync::Arc};

use askama::Template;
use axum::{
    Form,
    extract::{
        Multipart, Path, State,
        multipart::{Field, MultipartError, MultipartRejection},
        rejection::FormRejection,
    },
    response::{IntoResponse, Redirect, Response},
};
use http::StatusCode;
use producer::{About, Report, Source};
use serde::Deserialize;
use serve::auth::Caller;
use tokio::runtime::Handle;

use super::upload_check::{Bad, Planned, check};
use crate::{
    failure::{Failure, html},
    link::Address,
    note::Done,
    shell::{Section, Shell},
    site::Site,
    uploads::{BYTES_MAX, Full, Incoming, KEPT, NotTaken, Upload},
    view::plan::{PlanView, Refused},
    visitor::Visitor,
};

/// What a text is called that was pasted.
const PASTED: &str = "pasted signups";

/// Most characters of a file's name that are kept.
const NAME_MAX: usize = 120;

/// Most bytes of a page's own token.
const CSRF_BYTES_MAX: usize = 256;

/// Most bytes of a pasted text that are shown again with its problems.
const PASTED_AGAIN_MAX: usize = 64 * 1024;

#[derive(Template)]
#[template(path = "upload.html")]
struct Page {
    shell: Shell,
    refused: Option<Refused>,
    partners: Vec<String>,
    pasted: String,
    most: &'static str,
    minutes: u64,
}

#[derive(Template)]
#[template(path = "plan.html")]
struct Plan {
    shell: Shell,
    plan: PlanView,
}

/// The form.
pub(super) async fn form(State(site): State<Site>, visitor: Visitor) -> Response {
    page(&site, &visitor, None, String::new())
}

fn page(site: &Site, visitor: &Visitor, refused: Option<Refused>, pasted: String) -> Response {
    let desk = site.app.directory().desk();
    html(&Page {
        shell: Shell::of(visitor, Section::Upload, "Upload signups").still(),
        refused,
        partners: desk.book().iter().map(|own| own.name.to_string()).collect(),
        pasted,
        most: "32 MiB",
        minutes: KEPT.as_secs() / 60,
    })
}

fn refused(
    site: &Site,
    visitor: &Visitor,
    status: StatusCode,
    refused: Refused,
    pasted: String,
) -> Response {
    (status, page(site, visitor, Some(refused), pasted)).into_response()
}

/// What came in.
struct Received {
    upload: Upload<()>,
    /// The text, where it was pasted and is short enough to be shown again.
    pasted: String,
}

/// Why nothing came in.
enum Broken {
    /// A page that says so.
    Failure(Box<Failure>),
    /// The form again, and what is wrong.
    Refused(StatusCode, Refused),
}

impl From<Failure> for Broken {
    fn from(failure: Failure) -> Self {
        Self::Failure(Box::new(failure))
    }
}

impl From<Full> for Broken {
    fn from(_: Full) -> Self {
        let message = "As many files are being looked at as this server takes. Try again in some minutes, or enqueue the one that you checked.";
        Failure::new(StatusCode::SERVICE_UNAVAILABLE, "Too many uploads", message)
            .back_to("/upload", "Back")
            .into()
    }
}

impl From<NotTaken> for Broken {
    fn from(error: NotTaken) -> Self {
        match error {
            NotTaken::TooLarge => too_large(),
            NotTaken::Disk(error) => {
                tracing::error!(%error, "an upload cannot be written to the folder for temporary files");
                Failure::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "The file cannot be kept",
                    "This server cannot write it to its folder for temporary files; its log says why.",
                )
                .into()
            }
        }
    }
}

impl From<MultipartError> for Broken {
    fn from(error: MultipartError) -> Self {
        if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
            too_large()
        } else {
            Failure::bad_form().into()
        }
    }
}

fn too_large() -> Broken {
    let told = format!(
        "The file has more than {} MiB. Split it, or give it to `trunkline enqueue` on the server, which takes files of any length",
        BYTES_MAX / 1024 / 1024
    );
    Broken::Refused(StatusCode::PAYLOAD_TOO_LARGE, Refused::because(told))
}

/// Takes a file or a text, checks it, and shows what is wrong or leads to the plan.
pub(super) async fn receive(
    State(site): State<Site>,
    visitor: Visitor,
    form: Result<Multipart, MultipartRejection>,
) -> Result<Response, Failure> {
    let form = form.map_err(|_| Failure::bad_form())?;
    let received = match take_in(&site, &visitor, form).await {
        Ok(received) => received,
        Err(Broken::Failure(failure)) => return Err(*failure),
        Err(Broken::Refused(status, why)) => {
            return Ok(refused(&site, &visitor, status, why, String::new()));
        }
    };
    let name = received.upload.name.clone();
    match checked(&site, received.upload).await? {
        Ok(upload) => {
            let id = site.uploads.keep(visitor.session.csrf(), upload);
            Ok(Redirect::to(&format!("/upload/{id:032x}")).into_response())
        }
        Err(bad) => not_good(&site, &visitor, &name, bad, received.pasted),
    }
}

fn not_good(
    site: &Site,
    visitor: &Visitor,
    name: &str,
    bad: Bad,
    pasted: String,
) -> Result<Response, Failure> {
    match bad {
        Bad::Problems(problems, more) => {
            let why = Refused::of(name, problems, more);
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            Ok(refused(site, visitor, status, why, pasted))
        }
        Bad::Store(error) => Err(error.into()),
        Bad::Unreadable(error) => {
            tracing::error!(error, "an upload cannot be read");
            Err(Failure::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "The file cannot be read",
                "This server cannot read what it kept of it; its log says why. Upload it again.",
            ))
        }
    }
}

/// Reads the form: first the page's own token, then the file or the text.
async fn take_in(site: &Site, visitor: &Visitor, mut form: Multipart) -> Result<Received, Broken> {
    let bad = || Broken::from(Failure::bad_form());
    let first = form.next_field().await?.ok_or_else(bad)?;
    if first.name() != Some("csrf") {
        return Err(bad());
    }
    let csrf = short_text(first).await?;
    visitor.session.check_change(&csrf).map_err(Failure::from)?;
    let field = form.next_field().await?.ok_or_else(bad)?;
    let pasted = match field.name() {
        Some("file") => false,
        Some("paste") => true,
        Some(_) | None => return Err(bad()),
    };
    let name = if pasted {
        PASTED.to_owned()
    } else {
        file_name(field.file_name().unwrap_or_default())
    };
    let incoming = site.uploads.begin()?.map_err(NotTaken::Disk)?;
    let mut again = String::new();
    let incoming = all_of(field, incoming, pasted.then_some(&mut again)).await?;
    let format = Source::from_argument(FilePath::new("./").join(&name)).format();
    let upload = incoming.end(name, format.filter(|_| !pasted)).await?;
    Ok(Received {
        upload,
        pasted: again,
    })
}

async fn short_text(mut field: Field<'_>) -> Result<String, Broken> {
    let mut bytes = Vec::new();
    while let Some(chunk) = field.chunk().await? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > CSRF_BYTES_MAX {
            return Err(Failure::bad_form().into());
        }
    }
    String::from_utf8(bytes).map_err(|_| Failure::bad_form().into())
}

async fn all_of(
    mut field: Field<'_>,
    mut incoming: Incoming,
    mut again: Option<&mut String>,
) -> Result<Incoming, Broken> {
    while let Some(chunk) = field.chunk().await? {
        if let Some(text) = again.as_deref_mut() {
            text.push_str(&String::from_utf8_lossy(&chunk));
            if text.len() > PASTED_AGAIN_MAX {
                text.clear();
                again = None;
            }
        }
        incoming = incoming.add(&chunk).await?;
    }
    Ok(incoming)
}

/// A file's own name, as problems will call it: without folders, and without characters that act on a page.
fn file_name(given: &str) -> String {
    let last = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain: String = last
        .chars()
        .filter(|c| !onboarding::visible::acts(*c))
        .take(NAME_MAX)
        .collect();
    match plain.trim() {
        "" | "." | ".." => "the file".to_owned(),
        name => name.to_owned(),
    }
}

/// Checks a file on a thread that may block.
async fn checked(
    site: &Site,
    upload: Upload<()>,
) -> Result<Result<Upload<Arc<Planned>>, Bad>, Failure> {
    let broken = || {
        Failure::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "The file was not checked",
            "The server stopped, or made a mistake; its log says which. Upload it again.",
        )
    };
    let Some(turn) = site.uploads.checking().await else {
        return Err(broken());
    };
    let app = site.app.clone();
    let runtime = Handle::current();
    let checked = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        match check(&app, &runtime, &upload) {
            Ok(planned) => Ok(upload.with(Arc::new(planned))),
            Err(bad) => Err(bad),
        }
    });
    checked.await.map_err(|_| broken())
}

fn gone() -> Failure {
    Failure::new(
        StatusCode::NOT_FOUND,
        "This upload is not here any more",
        "It was enqueued, or waited for too long. If you are not sure, look at the batches; uploading it again does nothing twice.",
    )
    .back_to("/batches", "To the batches")
}

fn id_of(text: &str) -> Result<u128, Failure> {
    u128::from_str_radix(text, 16).map_err(|_| gone())
}

/// The plan of a file that is good.
pub(super) async fn plan(
    State(site): State<Site>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let found = site.uploads.look(visitor.session.csrf(), id_of(&id)?);
    let planned = found.ok_or_else(gone)?;
    Ok(html(&Plan {
        shell: Shell::of(&visitor, Section::Upload, "Plan").still(),
        plan: PlanView::of(
            &id,
            &planned.name,
            &planned.report,
            &planned.before,
            &planned.rates,
            KEPT.as_secs() / 60,
        ),
    }))
}

#[derive(Deserialize)]
pub(super) struct Csrf {
    csrf: String,
}

/// Enqueues a file that was checked.
pub(super) async fn enqueue(
    State(site): State<Site>,
    visitor: Visitor,
    Path(id): Path<String>,
    form: Result<Form<Csrf>, FormRejection>,
) -> Result<Response, Failure> {
    let Form(form) = form.map_err(|_| Failure::bad_form())?;
    let caller = visitor.session.check_change(&form.csrf)?.clone();
    let taken = site.uploads.take(visitor.session.csrf(), id_of(&id)?);
    let upload = taken.ok_or_else(gone)?;
    let name = upload.name.clone();
    // On its own, so that it ends one way or the other also where the browser goes away.
    let task = tokio::spawn(accept(site.clone(), caller, upload));
    let accepted = task.await.map_err(|_| {
        Failure::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "It is not known whether it was accepted",
            "The server made a mistake; its log says which. Look at the batches; uploading it again does nothing twice.",
        )
        .back_to("/batches", "To the batches")
    })?;
    match accepted {
        Ok(report) => {
            let (to, done) = match report.batch {
                Some(number) => (format!("/batches/{number}"), Done::Enqueued),
                None => ("/batches".to_owned(), Done::NothingNew),
            };
            let to = Address::of(&to).with("note", done.as_str()).end();
            Ok(Redirect::to(&to).into_response())
        }
        Err(bad) => not_good(&site, &visitor, &name, bad, String::new()),
    }
}

async fn accept(site: Site, caller: Caller, upload: Upload<Arc<Planned>>) -> Result<Report, Bad> {
    use std::io::Seek;
    let mut file = &upload.file;
    let unreadable = |error: std::io::Error| Bad::Unreadable(error.to_string());
    file.rewind().map_err(unreadable)?;
    let file = upload.file.try_clone().map_err(unreadable)?;
    let source = Source::from_reader(&upload.name, upload.format, file);
    let about = About {
        source: Some(upload.name.clone()),
        trace: None,
    };
    let desk = site.app.directory().desk();
    let store = site.app.store();
    let report = producer::enqueue(vec![source], &desk, about, store.as_ref(), |_| {}).await?;
    site.app
        .enqueued(&caller, &upload.name, report.accepted, report.duplicates);
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_files_name_is_its_own_and_short() {
        for (given, name) in [
            ("signups.csv", "signups.csv"),
            ("/home/a/signups.csv", "signups.csv"),
            ("C:\\a\\signups.csv", "signups.csv"),
            ("../../etc/passwd", "passwd"),
            ("a\r\nb.csv", "ab.csv"),
            ("", "the file"),
            ("..", "the file"),
        ] {
            assert_eq!(file_name(given), name, "{given}");
        }
        assert_eq!(file_name(&"x".repeat(1000)).len(), NAME_MAX);
    }
}

//! Where a page begins: the store's own cursor, signed, so that it is used as it was given.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use store::Cursor;
use subtle::ConstantTimeEq;

use super::params::Params;
use crate::App;

/// Bytes of the signature: nobody guesses 2^96.
const MAC_BYTES: usize = 12;

/// Most characters of a cursor; ours are far shorter.
const TEXT_MAX: usize = 1024;

/// What a client is given. `list` says of which list with which filter it is.
pub(super) fn seal(app: &App, list: &str, cursor: &str) -> String {
    let mac = mac(app, list, cursor.as_bytes());
    URL_SAFE_NO_PAD.encode([&mac[..], cursor.as_bytes()].concat())
}

/// What the parameter `cursor` says.
pub(super) fn open(app: &App, list: &str, params: &mut Params) -> Option<Cursor> {
    let text = params.text("cursor")?;
    let found = read(app, list, text);
    if found.is_none() {
        params.wrong(
            "cursor",
            "this is no cursor of this list; take `next` of the page before, with the same filter, or leave it out to begin anew",
        );
    }
    found.map(Cursor)
}

fn read(app: &App, list: &str, text: &str) -> Option<String> {
    if text.len() > TEXT_MAX {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (given, cursor) = bytes.split_first_chunk::<MAC_BYTES>()?;
    let genuine = given.ct_eq(&mac(app, list, cursor));
    bool::from(genuine).then(|| String::from_utf8(cursor.to_vec()).ok())?
}

fn mac(app: &App, list: &str, cursor: &[u8]) -> [u8; MAC_BYTES] {
    let whole = app.key().mac("cursor", &[list.as_bytes(), cursor]);
    let mut own = [0; MAC_BYTES];
    own.copy_from_slice(&whole[..MAC_BYTES]);
    own
}

//! Lists come in pages.

use serde::Deserialize;

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Where the next one is; `None` on the last.
    pub next: Option<NextPage>,
}

/// Where a page of a list is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NextPage {
    /// How many items come before it.
    pub offset: u64,
    /// Most items on it, 1 to [`NextPage::MOST`]. Exotel's own default is 50.
    pub page_size: u32,
}

impl NextPage {
    /// The first page, of Exotel's default size.
    pub const FIRST: Self = Self {
        offset: 0,
        page_size: 50,
    };
    /// The largest page size that is followed. Bounds what one answer can hold.
    pub const MOST: u32 = 1000;
}

/// The part of a list's `metadata` that leads on.
#[derive(Deserialize, Default)]
pub(crate) struct Metadata {
    #[serde(default)]
    pub(crate) next_page_uri: Option<String>,
}

/// Reads where `uri` leads from the page `at`. Only the two numbers are taken out of it, so that
/// an answer can never send credentials to another host or path. `Err` says why it leads nowhere:
/// a page that does not come after `at` would be read for ever.
pub(crate) fn follow(at: NextPage, uri: &str) -> Result<Option<NextPage>, &'static str> {
    if uri.is_empty() {
        return Ok(None);
    }
    let query = uri.split_once('?').map_or("", |(_, query)| query);
    let query = query.split('#').next().unwrap_or_default();
    let value = |name: &str| {
        query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find_map(|(key, value)| (key == name).then_some(value))
    };
    let offset = value("offset")
        .and_then(|text| text.parse::<u64>().ok())
        .ok_or("the next page's address has no offset")?;
    if offset <= at.offset {
        return Err("the next page does not come after this one");
    }
    let page_size = match value("page_size") {
        None => at.page_size,
        Some(text) => text
            .parse::<u32>()
            .ok()
            .filter(|size| (1..=NextPage::MOST).contains(size))
            .ok_or("the next page's size is not a number from 1 to 1000")?,
    };
    Ok(Some(NextPage { offset, page_size }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_offset_and_page_size_are_taken_from_the_next_address() {
        let at = NextPage::FIRST;
        let next = NextPage {
            offset: 50,
            page_size: 20,
        };
        for uri in [
            "/v2/accounts/acme1/trunks?offset=50&page_size=20",
            "https://elsewhere.example/evil?page_size=20&offset=50#offset=7",
            "?offset=50&page_size=20&trunk_sid=x",
        ] {
            assert_eq!(follow(at, uri), Ok(Some(next)), "{uri}");
        }
        assert_eq!(follow(at, ""), Ok(None));
        assert_eq!(
            follow(at, "?offset=50").map(|next| next.map(|n| n.page_size)),
            Ok(Some(50))
        );
    }

    #[test]
    fn a_next_page_that_does_not_move_on_or_cannot_be_read_is_refused() {
        let at = NextPage {
            offset: 50,
            page_size: 50,
        };
        for uri in [
            "?offset=50&page_size=50",
            "?offset=0",
            "?page_size=50",
            "/nothing",
            "?offset=-1",
            "?offset=99999999999999999999999",
            "?offset=100&page_size=0",
            "?offset=100&page_size=100000",
        ] {
            assert!(follow(at, uri).is_err(), "{uri}");
        }
    }
}

//! Lists come in pages.

use std::fmt;

use serde_json::Value;

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Entries that could not be read, or that say of themselves that they belong to another
    /// trunk. Before something that is not among `items` of any page is believed to be absent, ask
    /// each of these whether it [mentions](Unreadable::mentions) it.
    pub unreadable: Vec<Unreadable>,
    /// Where the next one is; `None` on the last.
    pub next: Option<NextPage>,
}

/// An entry of a list that could not be read as one.
#[derive(Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Its JSON, in small letters.
    text: String,
    /// Whether Exotel says that it failed to show it.
    withheld: bool,
}

impl Unreadable {
    pub(crate) fn new(item: &Value, withheld: bool) -> Self {
        Self {
            text: item.to_string().to_lowercase(),
            withheld,
        }
    }

    /// Whether it may be the entry with this name, number, address or destination: its text has
    /// the value in it, in whichever case, a number with or without its plus; or Exotel tells of a
    /// failure instead of the entry, so that it may be any. Then that entry must not be believed
    /// absent.
    #[must_use]
    pub fn mentions(&self, value: &str) -> bool {
        let value = value.trim().trim_start_matches('+').to_lowercase();
        self.withheld || self.text.contains(&value)
    }
}

impl fmt::Debug for Unreadable {
    /// Without what is in it, which may be anything.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unreadable")
            .field("bytes", &self.text.len())
            .field("withheld", &self.withheld)
            .finish()
    }
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

/// Reads where `uri` leads from the page `at`, which had `seen` entries. Only the two numbers are
/// taken out of it, so that an answer can never send credentials to another host or path. It never
/// leads past entries that were not seen. `Err` says why it leads nowhere: a page that does not
/// come after `at` would be read for ever. `uri` is empty on the last page, and `None` where the
/// answer does not say: then a full page is not taken for the last.
pub(crate) fn follow(
    at: NextPage,
    seen: usize,
    uri: Option<&str>,
) -> Result<Option<NextPage>, &'static str> {
    let seen = seen as u64;
    let end = at.offset.saturating_add(seen.max(at.page_size.into()));
    let Some(uri) = uri else {
        let full = seen >= at.page_size.into();
        return Ok(full.then_some(NextPage {
            offset: end,
            page_size: at.page_size,
        }));
    };
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
    let offset = offset.min(end);
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
            assert_eq!(follow(at, 50, Some(uri)), Ok(Some(next)), "{uri}");
        }
        assert_eq!(follow(at, 50, Some("")), Ok(None));
        assert_eq!(
            follow(at, 50, Some("?offset=50")).map(|next| next.map(|n| n.page_size)),
            Ok(Some(50))
        );
    }

    #[test]
    fn no_entry_is_skipped_whatever_the_next_address_says() {
        let at = NextPage {
            offset: 50,
            page_size: 50,
        };
        let offset = |seen, uri| follow(at, seen, uri).unwrap().map(|next| next.offset);
        assert_eq!(offset(50, Some("?offset=100")), Some(100));
        assert_eq!(offset(50, Some("?offset=150")), Some(100));
        assert_eq!(offset(0, Some("?offset=9999999")), Some(100));
        // A server may give more than it was asked for, or less.
        assert_eq!(offset(100, Some("?offset=150")), Some(150));
        assert_eq!(offset(20, Some("?offset=70&page_size=20")), Some(70));
        // It does not say.
        assert_eq!(offset(49, None), None);
        assert_eq!(offset(50, None), Some(100));
    }

    #[test]
    fn an_unreadable_entry_may_be_what_its_text_says() {
        let item = serde_json::json!({"data": {"phone_number": "+918000000001", "id": null,
            "destination": "sip:SIP.partner.example:5061;transport=tls"}});
        let entry = Unreadable::new(&item, false);
        for value in [
            "+918000000001",
            "918000000001",
            "sip.partner.example:5061;transport=TLS",
        ] {
            assert!(entry.mentions(value), "{value}");
        }
        assert!(!entry.mentions("+918000000002"));
        assert!(Unreadable::new(&item, true).mentions("+918000000002"));
        assert!(!format!("{entry:?}").contains("8000"));
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
            assert!(follow(at, 50, Some(uri)).is_err(), "{uri}");
        }
    }
}

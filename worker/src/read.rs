//! Reading lists, whoever pays for the requests.

use std::pin::Pin;

use exotel::{Answer, NextPage, Page, Unreadable};

use crate::fault::Interrupt;

/// A request that is ready to be sent. This and [`Reading`] are boxed, because the compiler cannot
/// prove futures of nested generic closures to be `Send`; reads are off the happy path.
pub(crate) type Request<'r, T> =
    Pin<Box<dyn Future<Output = Result<Answer<T>, exotel::Error>> + Send + 'r>>;

/// A read under way.
pub(crate) type Reading<'r, T, H> =
    Pin<Box<dyn Future<Output = Result<T, Interrupt<H>>> + Send + 'r>>;

/// Sends reads and keeps to permits, leases and the retry policy. One implementation for an
/// onboarding under a lease, one for looking from outside.
pub(crate) trait Reader: Send {
    /// What ends the reading.
    type Halt: Send;

    /// Sends one read, and again by the policy while it gives nothing.
    fn read<'r, T: Send + 'r>(
        &'r mut self,
        call: impl Fn() -> Request<'r, T> + Send + Sync + 'r,
    ) -> Reading<'r, T, Self::Halt>;
}

/// Most pages of an account's trunks that are read: 100,000 trunks at Exotel's page size of 50, ten
/// minutes at its allowance of 200 requests a minute.
pub(crate) const TRUNK_PAGES: u32 = 2_000;

/// Most pages of one trunk's entries that are read: 1,000 entries.
pub(crate) const ENTRY_PAGES: u32 = 20;

/// Reads pages until `pick` takes something. `None`: it took nothing of all there is, and no entry
/// that cannot be read may be the one with this `value`.
pub(crate) async fn find<'c, R: Reader, T: Send + 'c, U: Send>(
    reader: &mut R,
    what: &'static str,
    most: u32,
    value: &str,
    page: impl Fn(NextPage) -> Request<'c, Page<T>> + Send + Sync,
    mut pick: impl FnMut(T) -> Option<U> + Send,
) -> Result<Option<U>, Interrupt<R::Halt>> {
    let mut unreadable = false;
    let mut at = NextPage::FIRST;
    for _ in 0..most {
        let page = reader.read(|| page(at)).await?;
        if let Some(found) = page.items.into_iter().find_map(&mut pick) {
            return Ok(Some(found));
        }
        unreadable |= page.unreadable.iter().any(|it| it.mentions(value));
        match page.next {
            Some(next) => at = next,
            None if unreadable => return Err(Interrupt::Unreadable { what }),
            None => return Ok(None),
        }
    }
    Err(Interrupt::TooLong { what, most })
}

/// All entries of one trunk that can be read, and those that cannot.
pub(crate) struct Entries<T> {
    pub(crate) items: Vec<T>,
    pub(crate) unreadable: Vec<Unreadable>,
    what: &'static str,
}

impl<T> Entries<T> {
    pub(crate) fn map<U>(self, make: impl FnMut(T) -> U) -> Entries<U> {
        Entries {
            items: self.items.into_iter().map(make).collect(),
            unreadable: self.unreadable,
            what: self.what,
        }
    }

    /// All there is, and all of it was read.
    pub(crate) fn whole(what: &'static str, items: Vec<T>) -> Self {
        Self {
            items,
            unreadable: Vec::new(),
            what,
        }
    }

    /// Before what has this value is called absent: refuses if an entry that cannot be read may be
    /// it.
    pub(crate) fn absent<H>(&self, value: &str) -> Result<(), Interrupt<H>> {
        if self.unreadable.iter().any(|it| it.mentions(value)) {
            return Err(Interrupt::Unreadable { what: self.what });
        }
        Ok(())
    }
}

/// Reads all entries of one trunk.
pub(crate) async fn all<'c, R: Reader, T: Send + 'c>(
    reader: &mut R,
    what: &'static str,
    page: impl Fn(NextPage) -> Request<'c, Page<T>> + Send + Sync,
) -> Result<Entries<T>, Interrupt<R::Halt>> {
    let mut all = Entries {
        items: Vec::new(),
        unreadable: Vec::new(),
        what,
    };
    let mut at = NextPage::FIRST;
    for _ in 0..ENTRY_PAGES {
        let page = reader.read(|| page(at)).await?;
        all.items.extend(page.items);
        all.unreadable.extend(page.unreadable);
        match page.next {
            Some(next) => at = next,
            None => return Ok(all),
        }
    }
    Err(Interrupt::TooLong {
        what,
        most: ENTRY_PAGES,
    })
}

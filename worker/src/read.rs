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
/// that cannot be read mentions `value`, if one value is looked for.
pub(crate) async fn find<'c, R: Reader, T: Send + 'c, U: Send>(
    reader: &mut R,
    what: &'static str,
    most: u32,
    page: impl Fn(NextPage) -> Request<'c, Page<T>> + Send + Sync,
    value: Option<&str>,
    pick: impl FnMut(T) -> Option<U> + Send,
) -> Result<Option<U>, Interrupt<R::Halt>> {
    let mut unreadable = Vec::new();
    let found = walk(reader, what, most, page, &mut unreadable, pick).await?;
    if let (None, Some(value)) = (&found, value) {
        absent(what, &unreadable, value)?;
    }
    Ok(found)
}

/// Whether `value`, which was not found among the entries that could be read, is absent.
pub(crate) fn absent<H>(
    what: &'static str,
    unreadable: &[Unreadable],
    value: &str,
) -> Result<(), Interrupt<H>> {
    if unreadable.iter().any(|entry| entry.mentions(value)) {
        return Err(Interrupt::Unreadable { what });
    }
    Ok(())
}

/// Reads all entries of one trunk, and what of them cannot be read.
pub(crate) async fn all<'c, R: Reader, T: Send + 'c>(
    reader: &mut R,
    what: &'static str,
    page: impl Fn(NextPage) -> Request<'c, Page<T>> + Send + Sync,
) -> Result<(Vec<T>, Vec<Unreadable>), Interrupt<R::Halt>> {
    let (mut everything, mut unreadable) = (Vec::new(), Vec::new());
    let keep = |item| {
        everything.push(item);
        None::<()>
    };
    walk(reader, what, ENTRY_PAGES, page, &mut unreadable, keep).await?;
    Ok((everything, unreadable))
}

async fn walk<'c, R: Reader, T: Send + 'c, U: Send>(
    reader: &mut R,
    what: &'static str,
    most: u32,
    page: impl Fn(NextPage) -> Request<'c, Page<T>> + Send + Sync,
    unreadable: &mut Vec<Unreadable>,
    mut pick: impl FnMut(T) -> Option<U> + Send,
) -> Result<Option<U>, Interrupt<R::Halt>> {
    let mut at = NextPage::FIRST;
    for _ in 0..most {
        let page = reader.read(|| page(at)).await?;
        unreadable.extend(page.unreadable);
        if let Some(found) = page.items.into_iter().find_map(&mut pick) {
            return Ok(Some(found));
        }
        match page.next {
            Some(next) => at = next,
            None => return Ok(None),
        }
    }
    Err(Interrupt::TooLong { what, most })
}

//! Reading lists, whoever pays for the requests.

use std::pin::Pin;

use exotel::{Answer, NextPage, Page};

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

/// Reads pages until `pick` takes something. `None`: it took nothing of all there is.
pub(crate) async fn find<'c, R: Reader, T: Send + 'c, U: Send>(
    reader: &mut R,
    what: &'static str,
    most: u32,
    page: impl Fn(NextPage) -> Request<'c, Page<T>> + Send + Sync,
    mut pick: impl FnMut(T) -> Option<U> + Send,
) -> Result<Option<U>, Interrupt<R::Halt>> {
    let mut at = NextPage::FIRST;
    for _ in 0..most {
        let Page { items, next } = reader.read(|| page(at)).await?;
        if let Some(found) = items.into_iter().find_map(&mut pick) {
            return Ok(Some(found));
        }
        match next {
            Some(next) => at = next,
            None => return Ok(None),
        }
    }
    Err(Interrupt::TooLong { what, most })
}

/// Reads all entries of one trunk.
pub(crate) async fn all<'c, R: Reader, T: Send + 'c>(
    reader: &mut R,
    what: &'static str,
    page: impl Fn(NextPage) -> Request<'c, Page<T>> + Send + Sync,
) -> Result<Vec<T>, Interrupt<R::Halt>> {
    let mut everything = Vec::new();
    let keep = |item| {
        everything.push(item);
        None::<()>
    };
    find(reader, what, ENTRY_PAGES, page, keep).await?;
    Ok(everything)
}

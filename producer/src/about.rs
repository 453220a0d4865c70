//! What an input tells of itself.

use onboarding::TraceContext;

use crate::problem::shown;

/// What an input tells of itself, besides its signups.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// Where it comes from, for people. With it the store keeps count of the batch (see
    /// [`store::Inspect::batches`]), without it does not. Of more than 200 bytes the middle is
    /// left out, and a control character is a blank.
    pub source: Option<String>,
    /// The trace that it came with; every onboarding of it goes on with that one.
    pub trace: Option<TraceContext>,
}

impl About {
    /// Most bytes of a source, as stores keep it.
    const SOURCE_BYTES_MAX: usize = 200;

    /// The source, as a store may have it.
    pub(crate) fn described(&mut self) -> Option<String> {
        let source = self.source.take()?;
        Some(shown(source, Self::SOURCE_BYTES_MAX))
    }
}

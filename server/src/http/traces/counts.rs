//! What became of spans.

/// Spans that have ended, by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// A collector has taken them.
    pub(crate) exported: u64,
    /// The queue was full.
    pub(crate) dropped: u64,
    /// The collector refused them, or gave no answer.
    pub(crate) failed: u64,
}

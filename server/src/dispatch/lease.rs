//! What is not done while it is uncertain whether this node still is one.

/// Whether the other nodes may have given this one up.
#[derive(Debug, Default)]
pub(super) struct Lease {
    pub(super) is_doubtful: bool,
    /// Something was not put to a wallet because of that.
    pub(super) has_held_back: bool,
}

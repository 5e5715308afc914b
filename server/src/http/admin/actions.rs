//! What administrators have done: a line in the log, an entry in the audit log, a count. None of these decides whether it is done.

use super::{operator::Operator, state::Admin};
use crate::{audit::AdminAction, http::api::Problem};
use countersign_protocol::{PublicKeyBytes, RequestId};

/// What can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Cancel,
    CancelAll,
    Disconnect,
    Block,
    Unblock,
    Purge,
    Resend,
    Reload,
}

impl Action {
    fn as_str(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::CancelAll => "cancel_all",
            Self::Disconnect => "disconnect",
            Self::Block => "block",
            Self::Unblock => "unblock",
            Self::Purge => "purge",
            Self::Resend => "resend",
            Self::Reload => "reload",
        }
    }
}

/// What it is done to.
#[derive(Debug, Default)]
pub(super) struct To<'a> {
    pub(super) request_id: Option<RequestId>,
    pub(super) public_key: Option<PublicKeyBytes>,
    /// A requester's id.
    pub(super) requester: Option<&'a str>,
}

/// Takes note of something that was tried, and of what came of it: to how many it was done, or why not.
pub(super) fn note(admin: &Admin, who: &Operator, action: Action, to: &To<'_>, came: Result<usize, &Problem>) {
    let outcome = came.map_or_else(|problem| (problem.code(), None), |count| ("done", Some(count)));
    note_outcome(admin, who, action, to, outcome);
}

/// Likewise, in the words that stand for what came of it.
pub(super) fn note_outcome(
    admin: &Admin,
    who: &Operator,
    action: Action,
    to: &To<'_>,
    (outcome, count): (&'static str, Option<usize>),
) {
    let (action, address) = (action.as_str(), who.address);
    tracing::info!(
        target: "countersign_server::admin",
        action,
        by = who.name,
        address = address.map(display),
        request = to.request_id.map(display),
        key = to.public_key.map(|key| key.fingerprint()),
        requester = to.requester,
        outcome,
        count,
        "an administrator acted"
    );
    admin.app.service.metrics().admin_action(action);
    if let Some(audit) = &admin.app.audit {
        audit.acted(AdminAction {
            action,
            by: &who.name,
            address,
            request_id: to.request_id,
            public_key: to.public_key,
            subject: to.requester,
            outcome,
            count,
        });
    }
}

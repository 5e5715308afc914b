//! The values that labels have, each a closed list: every one is exposed from the start, at 0. `increase()` sees no first count of what was
//! not there before. A test compares the lists with the source.

use crate::{error::CODES, record::end_code};
use countersign_protocol::{AckOutcome, ErrorCode, WireName};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
};
use std::{hash::Hash, iter};

/// What was too fast or too much.
const SCOPES: [&str; 6] = ["token", "ip_failures", "ip_connects", "connection", "connections", "ip_connections"];

/// What administrators do.
#[cfg(feature = "http")]
const ADMIN_ACTIONS: [&str; 8] =
    ["block", "cancel", "cancel_all", "disconnect", "purge", "reload", "resend", "unblock"];

/// What became of an attempt to tell a webhook.
const WEBHOOK_OUTCOMES: [&str; 4] = ["delivered", "failed", "gone", "given_up"];

/// The codes of errors that the HTTP part makes itself.
const HTTP_CODES: [&str; 20] = [
    "audit_unavailable",
    "host_not_allowed",
    "invalid_idempotency_key",
    "invalid_metadata",
    "invalid_purpose",
    "invalid_reference",
    "key_not_allowed",
    "malformed",
    "method_not_allowed",
    "not_ended",
    "not_found",
    "payload_too_large",
    "rate_limited",
    "read_only",
    "request_timeout",
    "requests_open",
    "unauthorized",
    "unsupported_media_type",
    "upgrade_required",
    "webhook_not_allowed",
];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Outcome {
    pub(super) outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Scope {
    pub(super) scope: &'static str,
}

#[cfg(feature = "http")]
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct AdminAction {
    pub(super) action: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Code {
    pub(super) code: &'static str,
}

/// Of requests: how they end, and why they are refused.
pub(super) fn requests() -> Family<Outcome, Counter> {
    outcomes(iter::once(end_code::SIGNED).chain(CODES))
}

pub(super) fn answers() -> Family<Outcome, Counter> {
    outcomes(names::<AckOutcome>())
}

/// What becomes of spans.
pub(super) fn trace_spans() -> Family<Outcome, Counter> {
    outcomes(["exported", "dropped", "failed"])
}

pub(super) fn webhooks() -> Family<Outcome, Counter> {
    outcomes(WEBHOOK_OUTCOMES)
}

pub(super) fn protocol_errors() -> Family<Code, Counter> {
    codes(names::<ErrorCode>())
}

pub(super) fn api_errors() -> Family<Code, Counter> {
    codes(CODES.into_iter().chain(HTTP_CODES))
}

pub(super) fn rate_limited() -> Family<Scope, Counter> {
    family(SCOPES.into_iter().map(|scope| Scope { scope }))
}

#[cfg(feature = "http")]
pub(super) fn admin_actions() -> Family<AdminAction, Counter> {
    family(ADMIN_ACTIONS.into_iter().map(|action| AdminAction { action }))
}

fn names<N: WireName>() -> impl Iterator<Item = &'static str> {
    N::ALL.iter().map(|name| name.as_str())
}

fn outcomes(values: impl IntoIterator<Item = &'static str>) -> Family<Outcome, Counter> {
    family(values.into_iter().map(|outcome| Outcome { outcome }))
}

fn codes(values: impl IntoIterator<Item = &'static str>) -> Family<Code, Counter> {
    family(values.into_iter().map(|code| Code { code }))
}

fn family<L: Clone + Hash + Eq>(labels: impl Iterator<Item = L>) -> Family<L, Counter> {
    let family = Family::default();
    for label in labels {
        drop(family.get_or_create(&label));
    }
    family
}

//! The lines that the log has of each step.
//!
//! At `info` stands what strangers cannot have written as often as they like: a requester's rate bounds it. A wallet may come and go,
//! and say the same answer again, without end; that is `debug`.

use crate::{
    call_context::CallContext,
    call_id::CallId,
    steps::{EndedBy, Refusal, RequestSummary, Step, WalletConnection},
};
use countersign_protocol::{AckOutcome, WireName as _};
use std::{net::IpAddr, time::Duration};
use tracing::{
    Level,
    field::{DisplayValue, display},
};

const REQUEST: &str = "countersign_server::request";
const WALLET: &str = "countersign_server::wallet";

/// Whether the lines of those steps are logged of which there are several for each request.
pub(super) fn wants_progress() -> bool {
    tracing::enabled!(target: REQUEST, Level::DEBUG)
}

/// A line about a request: what is known of the request and its call, then what is said of the step.
macro_rules! request_line {
    ($level:ident, $request:expr, $text:literal $(, $name:ident = $value:expr)*) => {
        tracing::$level!(
            target: REQUEST,
            request = %$request.id,
            key = $request.public_key.fingerprint(),
            requester = $request.requester_id.as_str(),
            batch = $request.batch_id.map(display),
            durable = $request.durable,
            caller_address = caller_address($request.call.as_deref()),
            call_id = call_id($request.call.as_deref()),
            trace_id = trace_id($request.call.as_deref()),
            $($name = $value,)*
            $text
        )
    };
}

/// Likewise, with a wallet in it; none where it is another's step.
macro_rules! wallet_line {
    ($level:ident, $request:expr, $wallet:expr, $text:literal $(, $name:ident = $value:expr)*) => {
        request_line!(
            $level,
            $request,
            $text,
            connection = $wallet.map(|wallet| display(wallet.connection)),
            device = $wallet.and_then(device),
            wallet_address = $wallet.and_then(wallet_address)
            $(, $name = $value)*
        )
    };
}

/// Writes a step's line.
pub(super) fn log(step: &Step) {
    match step {
        // Whoever waits for the end has all of this in that line.
        Step::Asked { request, .. } if request.durable => request_line!(info, request, "request asked"),
        Step::Asked { request, .. } => request_line!(debug, request, "request asked"),
        Step::Refused(refusal) => log_refusal(refusal),
        Step::Delivered { request, to, attempt } => {
            wallet_line!(debug, request, Some(to), "request delivered", attempt = attempt);
        }
        Step::Received { request, by } => wallet_line!(debug, request, Some(by), "request received"),
        Step::Displayed { request, by } => wallet_line!(debug, request, Some(by), "request displayed"),
        Step::Answered { request, by, outcome, ends } => log_answer(request, by, *outcome, *ends),
        Step::AnsweredInVain { request_id, public_key, by, outcome } => tracing::debug!(
            target: REQUEST,
            request = %request_id,
            key = public_key.fingerprint(),
            connection = %by.connection,
            device = device(by),
            wallet_address = wallet_address(by),
            outcome = outcome.as_str(),
            "answered in vain"
        ),
        Step::Ended { request, outcome, by, approved_by, reject_code, took } => wallet_line!(
            info,
            request,
            wallet(by),
            "request ended",
            outcome = outcome,
            by = by.as_str(),
            approved_by = approved_by.as_ref().map(display),
            reject_code = reject_code.map(|code| code.as_str()),
            ms = millis(*took)
        ),
        Step::TakenOver { request } => request_line!(debug, request, "request taken over"),
        Step::Introduced { public_key, wallet, proven } => tracing::debug!(
            target: WALLET,
            key = public_key.fingerprint(),
            connection = %wallet.connection,
            device = device(wallet),
            wallet_address = wallet_address(wallet),
            proven,
            "wallet introduced"
        ),
        Step::Left { public_key, wallet, why, stayed } => tracing::debug!(
            target: WALLET,
            key = public_key.fingerprint(),
            connection = %wallet.connection,
            device = device(wallet),
            wallet_address = wallet_address(wallet),
            why,
            ms = millis(*stayed),
            "wallet left"
        ),
    }
}

fn log_refusal(refusal: &Refusal) {
    let call = refusal.call.as_deref();
    tracing::info!(
        target: REQUEST,
        key = refusal.public_key.fingerprint(),
        requester = refusal.requester_id.as_ref().map(|id| id.as_str()),
        caller_address = caller_address(call),
        call_id = call_id(call),
        trace_id = trace_id(call),
        outcome = refusal.outcome,
        "request refused"
    );
}

/// One that ends the request stands in the line of its end. What else counts comes once from each device.
fn log_answer(request: &RequestSummary, by: &WalletConnection, outcome: AckOutcome, ends: bool) {
    let counts = match outcome {
        AckOutcome::Accepted | AckOutcome::BadSignature | AckOutcome::MessageMismatch => !ends,
        AckOutcome::Late | AckOutcome::Duplicate | AckOutcome::Unknown => false,
    };
    let outcome = outcome.as_str();
    if counts {
        wallet_line!(info, request, Some(by), "request answered", outcome = outcome);
    } else {
        wallet_line!(debug, request, Some(by), "request answered", outcome = outcome);
    }
}

fn wallet(by: &EndedBy) -> Option<&WalletConnection> {
    match by {
        EndedBy::Wallet(wallet) => Some(wallet),
        EndedBy::Requester
        | EndedBy::HangUp
        | EndedBy::Operator
        | EndedBy::Time
        | EndedBy::Shutdown
        | EndedBy::Elsewhere => None,
    }
}

fn device(wallet: &WalletConnection) -> Option<&str> {
    wallet.device.as_ref().map(|device| device.id.as_str())
}

fn wallet_address(wallet: &WalletConnection) -> Option<DisplayValue<IpAddr>> {
    wallet.address.map(display)
}

fn caller_address(call: Option<&CallContext>) -> Option<DisplayValue<IpAddr>> {
    call?.address.map(display)
}

fn call_id(call: Option<&CallContext>) -> Option<&str> {
    call?.call_id.as_ref().map(CallId::as_str)
}

fn trace_id(call: Option<&CallContext>) -> Option<DisplayValue<crate::trace_context::TraceId>> {
    call?.trace.map(|trace| display(trace.trace_id))
}

/// A number that JSON has as one.
fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

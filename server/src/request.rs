//! One request on its way: furnished, sent, waited for, counted.

use crate::{Metrics, SigningService, error::SigningError, pending::End, random, service::Signed};
use countersign_protocol::{
    Message, PublicKeyBytes, Purpose, RequestId, Requester, RequesterName, ServerFrame, SignRequest,
    limits::{DEFAULT_TIMEOUT_MS, MAX_TIMEOUT_MS, MIN_TIMEOUT_MS},
};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// A request for a signature, made by [`SigningService::request`].
#[derive(Debug)]
#[must_use = "nobody is asked until `send`"]
pub struct SigningRequest<'a> {
    service: &'a SigningService,
    id: RequestId,
    public_key: PublicKeyBytes,
    message: Message,
    requester: Option<RequesterName>,
    purpose: Option<Purpose>,
    timeout: Duration,
}

impl<'a> SigningRequest<'a> {
    pub(crate) fn new(service: &'a SigningService, public_key: PublicKeyBytes, message: Message) -> Self {
        let timeout = Duration::from_millis(DEFAULT_TIMEOUT_MS);
        let id = RequestId::from_random_bytes(random::bytes());
        Self { service, id, public_key, message, requester: None, purpose: None, timeout }
    }

    /// Names the request in logs, to wallets and in its [`Signed`], from now on.
    pub fn id(&self) -> RequestId {
        self.id
    }

    /// Who asks, as the wallet shows it. "this application" if not set.
    pub fn requester(mut self, name: RequesterName) -> Self {
        self.requester = Some(name);
        self
    }

    /// Why, as the wallet shows it: a claim of the requester.
    pub fn purpose(mut self, purpose: Purpose) -> Self {
        self.purpose = Some(purpose);
        self
    }

    /// How long the wallet has, from 1 s to 7 days. One minute if not set.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Asks, and waits for the end.
    ///
    /// # Errors
    /// [`SigningError`], always with the reason.
    ///
    /// # Cancel safety
    /// Dropping the future withdraws the request.
    pub async fn send(self) -> Result<Signed, SigningError> {
        let mut account = Account {
            metrics: self.service.metrics(),
            request_id: self.id,
            key: self.public_key,
            started: Instant::now(),
            outcome: "cancelled",
        };
        let result = self.ask().await;
        account.outcome = result.as_ref().map_or_else(SigningError::code, |_| "signed");
        result
    }

    async fn ask(self) -> Result<Signed, SigningError> {
        let Self { service, id: request_id, public_key, message, requester, purpose, timeout } = self;
        let expires_in_ms = milliseconds(timeout)?;
        let limit = service.config().max_message_bytes;
        if message.len() > limit {
            return Err(SigningError::MessageTooLong { limit, found: message.len() });
        }
        let requester = Requester { name: requester.map_or_else(this_application, Ok)? };
        let message = Arc::new(message);
        let request = SignRequest {
            request_id,
            message: Message::clone(&message),
            expires_in_ms,
            attempt: 1,
            requester,
            purpose,
            batch: None,
        };
        let open = service.open(request_id, public_key, &message, &ServerFrame::SignRequest(request))?;
        match open.wait(timeout).await {
            End::Signed { signature, approved_by } => {
                Ok(Signed { request_id, public_key, message, signature, approved_by })
            }
            end => Err(end.into()),
        }
    }
}

fn milliseconds(timeout: Duration) -> Result<u64, SigningError> {
    u64::try_from(timeout.as_millis())
        .ok()
        .filter(|ms| (MIN_TIMEOUT_MS..=MAX_TIMEOUT_MS).contains(ms))
        .ok_or(SigningError::InvalidTimeout(timeout))
}

fn this_application() -> Result<RequesterName, SigningError> {
    // A constant that parses, as every test sees; the error stands in for a panic.
    "this application".parse().map_err(|_| SigningError::Overloaded)
}

/// Counts and logs a request exactly once, also when its future is dropped.
struct Account<'a> {
    metrics: &'a Metrics,
    request_id: RequestId,
    key: PublicKeyBytes,
    started: Instant,
    outcome: &'static str,
}

impl Drop for Account<'_> {
    fn drop(&mut self) {
        let Self { metrics, request_id, key, started, outcome } = self;
        let took = started.elapsed();
        metrics.request_ended(outcome, took);
        tracing::info!(request = %request_id, key = key.fingerprint(), outcome, ms = took.as_millis(), "request ended");
    }
}

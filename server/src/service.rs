//! The signing service: what a backend calls, and what every wallet connection reports to.

use crate::{
    config::Config,
    error::SigningError,
    mailbox::{Inbox, Mail, Mailbox},
    metrics::Metrics,
    pending::{End, Ended, Pending, Phase, Verdict},
    registry::{Refused, Registry},
    request::SigningRequest,
    session::{Close, Introduced, Rules, Session, close},
};
use countersign_protocol::{
    AckOutcome, ApprovedBy, Challenge, ConnectionId, GoodbyeReason, Message, Origin, PublicKey, PublicKeyBytes,
    RequestCancel, RequestId, RequestStatus, ServerFrame, SignReject, SignResponse, Signable, Signature, Welcome,
    WelcomeLimits,
};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::{Notify, oneshot};

/// A signature that has been verified over the message that was asked for, under the key that was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// Names the request in logs, on both sides.
    pub request_id: RequestId,
    /// The key that was asked.
    pub public_key: PublicKeyBytes,
    /// The message, as the backend gave it.
    pub message: Arc<Message>,
    /// Verifies over `message` under `public_key` in every Ed25519 library.
    pub signature: Signature,
    /// Who decided, as the wallet says.
    pub approved_by: Option<ApprovedBy>,
}

/// Asks wallets for signatures. Cheap to clone; all clones are one service.
///
/// ```no_run
/// # async fn example(service: countersign_server::SigningService, key: countersign_server::protocol::PublicKey) {
/// match service.send_to_sign(&key, b"I agree to the terms of 1 May").await {
///     Ok(signed) => println!("signed: {}", signed.signature),
///     Err(error) => println!("not signed ({}): {error}", error.code()),
/// }
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct SigningService(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Config,
    rules: Arc<Rules>,
    metrics: Metrics,
    state: Mutex<State>,
    /// Told whenever a request or a connection has gone.
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    registry: Registry<Mailbox>,
    pending: Pending<oneshot::Sender<End>>,
    draining: bool,
}

/// A new connection's side of the service.
#[derive(Debug)]
pub(crate) struct Connected {
    pub(crate) guard: ConnectionGuard,
    pub(crate) inbox: Inbox,
    pub(crate) session: Session,
    pub(crate) challenge: ServerFrame,
}

impl SigningService {
    /// A service without connections.
    pub fn new(config: Config) -> Self {
        let rules = Arc::new(config.rules());
        let metrics = Metrics::default();
        Self(Arc::new(Inner { config, rules, metrics, state: Mutex::default(), changed: Notify::new() }))
    }

    /// Asks the wallets of `public_key` to sign `message`, waits up to a minute, and returns the verified signature.
    ///
    /// # Errors
    /// [`SigningError`], always with the reason.
    ///
    /// # Cancel safety
    /// Dropping the future withdraws the request: the wallet's prompt closes, and nothing stays behind.
    pub async fn send_to_sign(&self, public_key: &PublicKey, message: &[u8]) -> Result<Signed, SigningError> {
        self.request(public_key.to_bytes(), message.try_into()?).send().await
    }

    /// A request to be furnished with a purpose, a requester or another deadline before it is sent.
    pub fn request(&self, public_key: PublicKeyBytes, message: Message) -> SigningRequest<'_> {
        SigningRequest::new(self, public_key, message)
    }

    /// How many connections of wallets hold this key.
    pub fn connections_of(&self, public_key: &PublicKeyBytes) -> usize {
        self.state().registry.holding(public_key).count()
    }

    /// How many connections there are, introduced or not.
    pub fn connections(&self) -> usize {
        self.state().registry.len()
    }

    /// How many requests are open.
    pub fn pending(&self) -> usize {
        self.state().pending.len()
    }

    /// Whether [`SigningService::drain`] has begun.
    pub fn is_draining(&self) -> bool {
        self.state().draining
    }

    /// The counters, for an application that exposes metrics of its own.
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// Stops in good order: refuses new requests and connections, tells every wallet, gives open requests up to `patience`,
    /// ends the rest as [`SigningError::Draining`], and closes every connection with code 1012.
    pub async fn drain(&self, patience: Duration) {
        let goodbye = self.goodbye();
        {
            let mut state = self.state();
            state.draining = true;
            let text = goodbye.frame.to_json();
            for mailbox in state.registry.handles() {
                mailbox.post(Mail::Text(text.clone()));
            }
        }
        self.until(patience, |state| state.pending.len() == 0).await;
        {
            let mut state = self.state();
            for ended in state.pending.end_all(&End::Draining) {
                self.settle(&state, ended);
            }
            for mailbox in state.registry.handles() {
                mailbox.post(Mail::Close(Box::new(self.goodbye())));
            }
        }
        self.until(self.0.config.write_timeout, |state| state.registry.len() == 0).await;
    }

    pub(crate) fn config(&self) -> &Config {
        &self.0.config
    }

    pub(crate) fn goodbye(&self) -> Close {
        Close::goodbye(GoodbyeReason::Shutdown, self.0.config.reconnect_after, close::SERVICE_RESTART)
    }

    async fn until(&self, patience: Duration, holds: impl Fn(&State) -> bool) {
        let wait = async {
            loop {
                let changed = self.0.changed.notified();
                if holds(&self.state()) {
                    return;
                }
                changed.await;
            }
        };
        // Whether it holds or the patience is over, the caller goes on the same way.
        let _ = tokio::time::timeout(patience, wait).await;
    }

    /// A panic while the lock was held would have been a bug; the state is consistent between any two statements that can
    /// unwind, and refusing all service for ever would break the promise for everybody.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a backend's request does.
impl SigningService {
    /// Opens a request and puts it to every wallet of the key that can take one more.
    pub(crate) fn open(
        &self,
        request_id: RequestId,
        key: PublicKeyBytes,
        message: &Arc<Message>,
        frame: &ServerFrame,
    ) -> Result<Open<'_>, SigningError> {
        let config = &self.0.config;
        let mut state = self.state();
        if state.draining {
            return Err(SigningError::Draining);
        }
        if state.pending.len() >= config.max_pending {
            return Err(SigningError::Overloaded);
        }
        let holding: Vec<_> = state.registry.holding(&key).collect();
        if holding.is_empty() {
            drop(state);
            // Only now is it worth telling a key that nobody could hold from one that nobody holds.
            PublicKey::admit(key)?;
            return Err(SigningError::SignerNotConnected);
        }
        let mut text = frame.to_json();
        let mut asked = Vec::with_capacity(holding.len());
        for (index, &connection) in holding.iter().enumerate() {
            let inflight = state.pending.inflight(connection);
            if inflight >= config.max_inflight {
                continue;
            }
            let last = index + 1 == holding.len();
            let text = if last { std::mem::take(&mut text) } else { text.clone() };
            match state.registry.handle(connection).is_some_and(|mailbox| mailbox.post_request(text, inflight)) {
                true => asked.push(connection),
                // It has let its mail pile up: letting go of its mailbox ends it.
                false => self.forget(&mut state, connection),
            }
        }
        if asked.is_empty() {
            let gone = state.registry.holding(&key).next().is_none();
            return Err(if gone { SigningError::SignerNotConnected } else { SigningError::TooManyInflight });
        }
        let (waiter, answer) = oneshot::channel();
        state.pending.open(request_id, key, Arc::clone(message), &asked, waiter);
        self.0.metrics.pending.set(gauge(state.pending.len()));
        Ok(Open { service: self, request_id, answer })
    }

    /// Ends a request that is still open.
    fn end(&self, id: RequestId, end: impl FnOnce(Phase) -> End) {
        let mut state = self.state();
        if let Some(phase) = state.pending.phase(id)
            && let Some(ended) = state.pending.end(id, end(phase))
        {
            self.settle(&state, ended);
        }
    }

    /// Answers the waiter of a request that has ended and withdraws it from the devices that still show it.
    fn settle(&self, state: &State, ended: Ended<oneshot::Sender<End>>) {
        if !ended.withdraw.is_empty() {
            let cancel = RequestCancel { request_id: ended.request_id, cause: ended.cause };
            let text = ServerFrame::RequestCancel(cancel).to_json();
            for mailbox in ended.withdraw.iter().filter_map(|connection| state.registry.handle(*connection)) {
                mailbox.post(Mail::Text(text.clone()));
            }
        }
        // Fails only where the caller is gone, who then needs no answer.
        let _ = ended.waiter.send(ended.end);
        self.0.metrics.pending.set(gauge(state.pending.len()));
        self.0.changed.notify_waiters();
    }
}

/// An open request, as seen by the one who waits for it. Dropping it withdraws the request.
#[derive(Debug)]
pub(crate) struct Open<'a> {
    service: &'a SigningService,
    request_id: RequestId,
    answer: oneshot::Receiver<End>,
}

impl Open<'_> {
    /// Waits for the end, and no longer than `patience`.
    pub(crate) async fn wait(mut self, patience: Duration) -> End {
        if let Ok(answer) = tokio::time::timeout(patience, &mut self.answer).await {
            return answer.unwrap_or(End::Draining);
        }
        self.service.end(self.request_id, End::Expired);
        // Either that put the end there, or an answer that came at the very same moment had done so already.
        self.answer.try_recv().unwrap_or(End::Expired(Phase::Delivered))
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.service.end(self.request_id, |_| End::Cancelled);
    }
}

/// What a wallet's connection does.
impl SigningService {
    /// Takes in a connection that has not introduced itself; `None` while draining.
    pub(crate) fn connect(
        &self,
        origin: Origin,
        challenge: Challenge,
        id: ConnectionId,
        now: Instant,
    ) -> Option<Connected> {
        let (mailbox, inbox) = Mailbox::new(self.0.config.max_inflight);
        let (session, challenge) = Session::new(Arc::clone(&self.0.rules), origin, challenge, now);
        let mut state = self.state();
        if state.draining {
            return None;
        }
        state.registry.add(id, mailbox);
        self.0.metrics.connections.set(gauge(state.registry.len()));
        Some(Connected { guard: ConnectionGuard { service: self.clone(), id }, inbox, session, challenge })
    }

    pub(crate) fn introduce(&self, id: ConnectionId, introduced: &Introduced) -> Result<Welcome, Refused> {
        let config = &self.0.config;
        let mut state = self.state();
        let displaced = state.registry.introduce(
            id,
            introduced.key.to_bytes(),
            introduced.proven,
            config.max_connections_per_key,
        )?;
        for connection in displaced {
            if let Some(mailbox) = state.registry.handle(connection) {
                let goodbye = Close::goodbye(GoodbyeReason::Superseded, config.reconnect_after, close::NORMAL);
                mailbox.post(Mail::Close(Box::new(goodbye)));
            }
            self.forget(&mut state, connection);
        }
        Ok(Welcome {
            connection_id: id,
            heartbeat_ms: u64::try_from(config.heartbeat.as_millis()).unwrap_or(u64::MAX),
            limits: WelcomeLimits { max_message_bytes: config.max_message_bytes, max_inflight: config.max_inflight },
        })
    }

    /// Takes a connection that is being closed out of its key's, so that it is asked nothing more while it says farewell, and
    /// ends the requests that only it could have answered.
    pub(crate) fn retire(&self, id: ConnectionId) {
        let mut state = self.state();
        state.registry.retire(id);
        for ended in state.pending.handle_disconnected(id) {
            self.settle(&state, ended);
        }
    }

    pub(crate) fn handle_status(&self, id: ConnectionId, status: RequestStatus) {
        self.state().pending.handle_status(id, status.request_id, status.state);
    }

    pub(crate) fn handle_answer(&self, id: ConnectionId, key: &PublicKey, response: SignResponse) -> AckOutcome {
        let SignResponse { request_id, message, signature, approved_by } = response;
        let stored = match self.state().pending.stored(&key.to_bytes(), id, request_id) {
            Ok(stored) => stored,
            Err(outcome) => return outcome,
        };
        // Verified over the stored message, whatever the echo says, and outside the lock: it takes longer than all the rest.
        let verdict = if message != *stored {
            Verdict::MessageMismatch
        } else if Signable::Message(&stored).verify(key, &signature).is_err() {
            Verdict::BadSignature
        } else {
            Verdict::Signed { signature, approved_by }
        };
        self.handle_verdict(id, key, request_id, verdict)
    }

    pub(crate) fn handle_reject(&self, id: ConnectionId, key: &PublicKey, reject: SignReject) -> AckOutcome {
        let SignReject { request_id, code, reason, scope } = reject;
        self.handle_verdict(id, key, request_id, Verdict::Rejected { code, reason, scope })
    }

    fn handle_verdict(&self, id: ConnectionId, key: &PublicKey, request_id: RequestId, verdict: Verdict) -> AckOutcome {
        let mut state = self.state();
        let (outcome, ended) = state.pending.handle_verdict(&key.to_bytes(), id, request_id, verdict);
        if let Some(ended) = ended {
            self.settle(&state, ended);
        }
        outcome
    }

    /// Removes a connection and ends the requests that only it could have answered.
    fn forget(&self, state: &mut State, id: ConnectionId) {
        state.registry.remove(id);
        self.0.metrics.connections.set(gauge(state.registry.len()));
        for ended in state.pending.handle_disconnected(id) {
            self.settle(state, ended);
        }
        self.0.changed.notify_waiters();
    }
}

/// A connection's place in the registry, given up when its task ends in whatever way.
#[derive(Debug)]
pub(crate) struct ConnectionGuard {
    service: SigningService,
    pub(crate) id: ConnectionId,
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        let mut state = self.service.state();
        self.service.forget(&mut state, self.id);
    }
}

fn gauge(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

//! A request for signatures on its way: built, sent, waited for.

mod terms;

use crate::{
    SigningService,
    call_context::CallContext,
    dispatch::Accepted,
    error::SigningError,
    idempotency::IdempotencyKey,
    metadata::Metadata,
    random,
    record::{End, PhaseTimes, Record},
    reference::Reference,
    requester::RequesterId,
    service::{Signed, Waiting},
    steps::Refusal,
    storage::Idempotency,
};
use countersign_protocol::{
    Batch, BatchId, Message, PublicKey, PublicKeyBytes, Purpose, RequestId, RequesterName,
    limits::{MAX_BATCH, MAX_TIMEOUT_MS},
};
use futures_util::future::join_all;
#[cfg(feature = "http")]
use futures_util::future::try_join_all;
use smallvec::{SmallVec, smallvec};
use std::{num::NonZeroU32, sync::Arc, time::Duration};
use terms::Terms;

/// A request for a signature, made by [`SigningService::request`], or for several in one prompt, made by [`SigningService::batch`].
#[derive(Debug)]
#[must_use = "nobody is asked until it is sent"]
pub struct SigningRequest<'a, M = Message> {
    parts: RequestParts<'a>,
    messages: M,
}

/// Everything but the messages.
#[derive(Debug)]
struct RequestParts<'a> {
    service: &'a SigningService,
    id: RequestId,
    terms: Terms,
}

impl SigningService {
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

    /// A builder: a purpose, a requester or another deadline may be added before it is sent.
    pub fn request(&self, public_key: PublicKeyBytes, message: Message) -> SigningRequest<'_> {
        SigningRequest::new(self, public_key, message)
    }

    /// Several messages for one key, to be approved in one prompt: 1 to [`MAX_BATCH`](crate::protocol::limits::MAX_BATCH). Each is a
    /// request of its own in all else.
    pub fn batch(&self, public_key: PublicKeyBytes, messages: Vec<Message>) -> SigningRequest<'_, Vec<Message>> {
        SigningRequest::new(self, public_key, messages)
    }
}

impl<'a, M> SigningRequest<'a, M> {
    pub(crate) fn new(service: &'a SigningService, public_key: PublicKeyBytes, messages: M) -> Self {
        service.look_at_the_clock();
        let parts = RequestParts { service, id: service.new_request_id(), terms: Terms::new(public_key) };
        Self { parts, messages }
    }

    /// Who asks, as the wallet shows it. "this application" if not set.
    pub fn requester(mut self, name: RequesterName) -> Self {
        self.parts.terms.requester = Some(name);
        self
    }

    /// Whose request it is, for good: durable requests and idempotency keys are this requester's own. Its name if not set.
    pub fn requester_id(mut self, id: RequesterId) -> Self {
        self.parts.terms.requester_id = Some(id);
        self
    }

    /// Why, as the wallet shows it: a claim of the requester.
    pub fn purpose(mut self, purpose: Purpose) -> Self {
        self.parts.terms.purpose = Some(purpose);
        self
    }

    /// What the requester calls it, by which its requests are found. No wallet is shown it.
    pub fn reference(mut self, reference: Reference) -> Self {
        self.parts.terms.reference = Some(reference);
        self
    }

    /// What the requester wants to find beside it again. No wallet is shown it. None at all is the same as not saying it.
    pub fn metadata(mut self, metadata: Metadata) -> Self {
        self.parts.terms.metadata = Some(metadata).filter(|metadata| !metadata.is_empty());
        self
    }

    /// How long the wallet has, from 1 s to 7 days. One minute if not set.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.parts.terms.timeout = timeout;
        self
    }

    /// How long it may take until a wallet says that it has the request, from 1 s to the timeout; a human's time does not count. Ten
    /// seconds if not set, or as long as the timeout where the request may wait for a wallet to connect.
    pub fn delivery_timeout(mut self, timeout: Duration) -> Self {
        self.parts.terms.delivery_timeout = Some(timeout);
        self
    }

    /// Lets the request wait for a wallet to connect. It is durable then, and needs a store.
    pub fn queue(mut self) -> Self {
        self.parts.terms.queue = true;
        self
    }

    /// Makes no second request when the same requester sends the same again under the same key. It is durable then, and needs a store.
    pub fn idempotency_key(mut self, key: IdempotencyKey) -> Self {
        self.parts.terms.idempotency_key = Some(key);
        self
    }

    /// Who called, for those who look on. Nothing is decided by it.
    pub fn call(mut self, call: impl Into<Arc<CallContext>>) -> Self {
        self.parts.terms.call = Some(call.into());
        self
    }

    /// How many requests this requester may have open, this one included: beyond that it is refused with
    /// [`SigningError::RequesterLimit`], as it is beyond its share. With several nodes, on this one. As many as its share if not set.
    pub fn max_pending(mut self, most: NonZeroU32) -> Self {
        self.parts.terms.max_pending = Some(most);
        self
    }

    /// Where the reference server tells the end. It is durable then, and needs a store. Which addresses are allowed is the caller's to
    /// decide.
    pub fn webhook(mut self, url: &str) -> Self {
        self.parts.terms.webhook = Some(url.into());
        self
    }
}

impl SigningRequest<'_> {
    /// Takes the place of an open durable request of the same requester and key: in one step that ends as cancelled and this one is open. Where
    /// that has ended already, this one is not made, so that whoever has just decided is not asked again. It is durable then, and needs a store.
    pub fn replaces(mut self, id: RequestId) -> Self {
        self.parts.terms.replaces = Some(id);
        self
    }
}

impl RequestParts<'_> {
    /// Whether it has to outlive the process.
    fn is_durable(&self) -> bool {
        let Terms { queue, idempotency_key, webhook, replaces, .. } = &self.terms;
        *queue || idempotency_key.is_some() || webhook.is_some() || replaces.is_some()
    }

    fn records(&self, messages: SmallVec<[Arc<Message>; 1]>) -> Result<SmallVec<[Box<Record>; 1]>, SigningError> {
        let limit = self.service.config().max_message_bytes;
        if let Some(found) = messages.iter().map(|message| message.len()).find(|found| *found > limit) {
            return Err(SigningError::MessageTooLong { limit, found });
        }
        if !(1..=MAX_BATCH.min(self.service.config().max_inflight)).contains(&messages.len()) {
            return Err(SigningError::InvalidBatch(messages.len()));
        }
        let Terms { public_key, purpose, reference, metadata, webhook, call, .. } = &self.terms;
        let (requester_id, requester) = self.requester()?;
        let now = self.service.now();
        let (deliver_by, expires_at) = self.terms.deadlines(now)?;
        let batch = (messages.len() > 1).then(|| BatchId::from_random_bytes(random::bytes()));
        let size = u32::try_from(messages.len()).unwrap_or(u32::MAX);
        let record = |(index, message): (u32, Arc<Message>)| {
            Box::new(Record {
                id: if index == 0 { self.id } else { self.service.new_request_id() },
                public_key: *public_key,
                message,
                requester_id: requester_id.clone(),
                requester: requester.clone(),
                purpose: purpose.clone(),
                reference: reference.clone(),
                metadata: metadata.clone(),
                batch: batch.map(|id| Batch { id, index, size }),
                deliver_by,
                expires_at,
                webhook: webhook.clone(),
                times: PhaseTimes::asked_at(now),
                attempt: 0,
                end: None,
                node: None,
                call: call.clone(),
            })
        };
        Ok((0..).zip(messages).map(record).collect())
    }

    /// Whose they are, and what wallets show.
    fn requester(&self) -> Result<(RequesterId, RequesterName), SigningError> {
        let name = self.terms.requester.clone().map_or_else(this_application, Ok)?;
        Ok((self.terms.requester_id.clone().unwrap_or_else(|| RequesterId::from(&name)), name))
    }

    async fn ask(&self, messages: SmallVec<[Arc<Message>; 1]>) -> Result<SmallVec<[Waiting<'_>; 1]>, SigningError> {
        self.service.ask_everywhere(self.records(messages)?, self.terms.max_pending).await
    }

    async fn accept(&self, messages: SmallVec<[Arc<Message>; 1]>) -> Result<Accepted, SigningError> {
        let accepted = self.accept_as(messages.clone(), self.terms.delivery_timeout).await;
        match (accepted, self.terms.delivery_timeout_otherwise()) {
            // The same may have been asked for with the default spelled out, or without. Nothing is asked for by finding out.
            (Err(SigningError::IdempotencyKeyReused), Some(otherwise)) => self.accept_as(messages, otherwise).await,
            (accepted, _) => accepted,
        }
    }

    /// Likewise, told from other calls by what is said of the delivery.
    async fn accept_as(
        &self,
        messages: SmallVec<[Arc<Message>; 1]>,
        delivery_timeout: Option<Duration>,
    ) -> Result<Accepted, SigningError> {
        let records = self.records(messages)?;
        let requester = records.first().map(|record| record.requester_id.clone());
        let messages = records.iter().map(|record| record.message.as_ref());
        let idempotency = self.terms.idempotency_key.clone().zip(requester).map(|(key, requester)| Idempotency {
            requester,
            key,
            fingerprint: self.terms.fingerprint(delivery_timeout, messages),
        });
        let records = records.into_iter().map(|record| *record).collect();
        let Terms { queue, max_pending, replaces, .. } = self.terms;
        self.service.ask_durably(records, idempotency, queue, max_pending, replaces).await
    }

    /// Asks for one message, and gives the request as it ended.
    async fn ended(&self, message: Message) -> Result<Box<Record>, SigningError> {
        let waiting = self.noted(self.ask(smallvec![Arc::new(message)]).await)?;
        let waiting = waiting.into_iter().next().ok_or(SigningError::InvalidBatch(0))?;
        waiting.wait().await
    }

    async fn end_of(&self, id: RequestId) -> Result<Signed, SigningError> {
        let (requester, _) = self.requester()?;
        // Its own deadline ends it; this is only longer than any.
        signed(self.service.wait(&requester, id, Duration::from_millis(2 * MAX_TIMEOUT_MS)).await?)
    }

    /// Takes note of a refusal on its way out.
    fn noted<T>(&self, result: Result<T, SigningError>) -> Result<T, SigningError> {
        result.inspect_err(|error| {
            self.service.refused(Refusal {
                public_key: self.terms.public_key,
                requester_id: self.requester().ok().map(|(id, _)| id),
                call: self.terms.call.clone(),
                outcome: error.code(),
            });
        })
    }
}

impl SigningRequest<'_> {
    /// Names the request in logs, to wallets and in its [`Signed`], from now on; unless an idempotency key turns out to name an earlier
    /// one.
    pub fn id(&self) -> RequestId {
        self.parts.id
    }

    /// Asks, and waits for the end.
    ///
    /// # Errors
    /// [`SigningError`], always with the reason.
    ///
    /// # Cancel safety
    /// Dropping the future withdraws the request; a durable one goes on until its end.
    pub async fn send(self) -> Result<Signed, SigningError> {
        let Self { parts, messages } = self;
        if parts.is_durable() {
            let accepted = parts.noted(parts.accept(smallvec![Arc::new(messages)]).await)?;
            let id = accepted.request_ids.first().copied().unwrap_or(parts.id);
            return parts.end_of(id).await;
        }
        signed(*parts.ended(messages).await?)
    }

    /// Asks, waits for the end, and gives the request as it then is. It ends with the process.
    #[cfg(feature = "http")]
    pub(crate) async fn send_for_record(self) -> Result<Box<Record>, SigningError> {
        let Self { parts, messages } = self;
        parts.ended(messages).await
    }

    /// Has the request written down, and returns once it is on disk. What becomes of it is told by
    /// [`SigningService::wait`] and [`SigningService::subscribe`].
    ///
    /// # Errors
    /// [`SigningError`], always with the reason.
    pub async fn submit(self) -> Result<Accepted, SigningError> {
        let Self { parts, messages } = self;
        parts.noted(parts.accept(smallvec![Arc::new(messages)]).await)
    }
}

impl SigningRequest<'_, Vec<Message>> {
    /// Asks, waits for every end, and gives them in the order of the messages.
    ///
    /// # Errors
    /// [`SigningError`] where nobody was asked.
    ///
    /// # Cancel safety
    /// Dropping the future withdraws what is open; durable requests go on until their end.
    pub async fn send(self) -> Result<Vec<Result<Signed, SigningError>>, SigningError> {
        let Self { parts, messages } = self;
        let messages = messages.into_iter().map(Arc::new).collect();
        if parts.is_durable() {
            let accepted = parts.noted(parts.accept(messages).await)?;
            return Ok(join_all(accepted.request_ids.into_iter().map(|id| parts.end_of(id))).await);
        }
        let waiting = parts.noted(parts.ask(messages).await)?;
        Ok(join_all(waiting.into_iter().map(async |waiting| signed(*waiting.wait().await?))).await)
    }

    /// Asks, waits for every end, and gives the requests as they then are. They end with the process.
    #[cfg(feature = "http")]
    pub(crate) async fn send_for_records(self) -> Result<Vec<Record>, SigningError> {
        let Self { parts, messages } = self;
        let messages = messages.into_iter().map(Arc::new).collect();
        let waiting = parts.noted(parts.ask(messages).await)?;
        try_join_all(waiting.into_iter().map(async |waiting| Ok(*waiting.wait().await?))).await
    }

    /// Has all of the requests written down, or none, and returns once they are on disk.
    ///
    /// # Errors
    /// [`SigningError`], always with the reason.
    pub async fn submit(self) -> Result<Accepted, SigningError> {
        let Self { parts, messages } = self;
        parts.noted(parts.accept(messages.into_iter().map(Arc::new).collect()).await)
    }
}

/// The signature that a request ended with, or the reason why there is none.
fn signed(record: Record) -> Result<Signed, SigningError> {
    let Record { id, public_key, message, times, end, .. } = record;
    match end {
        Some(End::Signed { signature, approved_by, device: _ }) => {
            Ok(Signed { request_id: id, public_key, message, signature, approved_by, times })
        }
        Some(end) => Err(end.into()),
        None => Err(SigningError::Draining),
    }
}

fn this_application() -> Result<RequesterName, SigningError> {
    // A constant that parses, as every test sees; the error stands in for a panic.
    "this application".parse().map_err(|_| SigningError::Overloaded)
}

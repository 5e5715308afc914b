//! What this project's own simulation drives: the service and its conversations without sockets, clock or randomness. Not an
//! interface for anybody else; it changes whenever the inside does.

pub use crate::{
    connection::Client,
    connection::conversation::{Conversation, NewConnection, Todo, turned_away},
    dispatch::SignFrame,
    service::{Inbox, Judgement, Mail, Waiting},
    session::Close,
};

pub use crate::time::Simulated;
use crate::{
    Accepted, Config, Record, SigningError, SigningService, Timestamp,
    cluster::{Hub, NodeId},
    dispatch::Replaces,
    record::PhaseTimes,
    steps::EndedBy,
    storage::{Idempotency, Loaded, Storage},
    time::Clock,
};
use countersign_protocol::{Batch, Message, PublicKeyBytes, RequestId, RequesterName};
use std::{collections::HashSet, num::NonZeroU32, sync::Arc};
use tokio::sync::oneshot;

/// A service that goes by these clocks.
pub fn service(config: Config, clocks: Simulated, store: Option<Arc<dyn Storage>>, loaded: Loaded) -> SigningService {
    SigningService::assemble(config, Clock::simulated(clocks), store, None, loaded)
}

/// One of several nodes.
pub fn clustered_service(
    config: Config,
    clocks: Simulated,
    store: Arc<dyn Storage>,
    hub: Arc<dyn Hub>,
    loaded: Loaded,
) -> SigningService {
    SigningService::assemble(config, Clock::simulated(clocks), Some(store), Some(hub), loaded)
}

/// What a request is made of, but for its life.
#[derive(Debug, Clone)]
pub struct NewRequest {
    /// Names it.
    pub id: RequestId,
    /// Who has to sign.
    pub public_key: PublicKeyBytes,
    /// What.
    pub message: Arc<Message>,
    /// Who asks.
    pub requester: RequesterName,
    /// Its place among those shown together.
    pub batch: Option<Batch>,
    /// When a wallet has to have it.
    pub deliver_by: Timestamp,
    /// When it has to be answered.
    pub expires_at: Timestamp,
}

impl NewRequest {
    /// The record of a request asked for at `now`.
    pub fn record(self, now: Timestamp) -> Record {
        let Self { id, public_key, message, requester, batch, deliver_by, expires_at } = self;
        Record {
            id,
            public_key,
            message,
            requester_id: (&requester).into(),
            requester,
            purpose: None,
            reference: None,
            metadata: None,
            batch,
            deliver_by,
            expires_at,
            webhook: None,
            times: PhaseTimes::asked_at(now),
            attempt: 0,
            end: None,
            node: None,
            call: None,
        }
    }
}

/// What a simulated world does with a service.
impl SigningService {
    /// Asks for requests that end with the process, of a requester that may have `most`.
    ///
    /// # Errors
    /// [`SigningError`] where nobody is asked.
    #[doc(hidden)]
    pub fn simulate_ask(
        &self,
        records: Vec<Record>,
        most: Option<NonZeroU32>,
    ) -> Result<Vec<Waiting<'_>>, SigningError> {
        Ok(self.ask(records.into_iter().map(Box::new).collect(), most)?.into_vec())
    }

    /// Asks for requests that outlive it, likewise; in the place of one that stands like this in the store.
    ///
    /// # Errors
    /// [`SigningError`] where nothing is written.
    #[doc(hidden)]
    pub fn simulate_ask_durably(
        &self,
        records: Vec<Record>,
        idempotency: Option<Idempotency>,
        queue: bool,
        most: Option<NonZeroU32>,
        replaces: Option<&Record>,
    ) -> Result<oneshot::Receiver<Result<Accepted, SigningError>>, SigningError> {
        let replaces = replaces.map(|record| self.place_of(record));
        self.begin_durably(records, idempotency, queue, most, replaces)
    }

    /// Whether a request that stands like this in the store is open on another node.
    #[doc(hidden)]
    pub fn simulated_is_elsewhere(&self, record: &Record) -> bool {
        matches!(self.place_of(record), Replaces::Elsewhere { .. })
    }

    /// Has the connections of a key on other nodes looked for; none where there is nothing to wait for.
    #[doc(hidden)]
    pub fn simulate_seek(&self, key: &PublicKeyBytes) -> Option<oneshot::Receiver<bool>> {
        self.seek(key)
    }

    /// Withdraws a request, whoever owns it.
    #[doc(hidden)]
    pub fn simulate_withdraw(&self, id: RequestId, owner: Option<NodeId>) {
        self.withdraw_from(id, owner, EndedBy::Requester);
    }

    /// The requests that are open here for a key.
    #[cfg(feature = "http")]
    #[doc(hidden)]
    pub fn simulate_open(&self, key: &PublicKeyBytes) -> Vec<RequestId> {
        let filter = crate::service::RequestFilter { key: Some(*key), requester: None };
        self.list_requests(&filter, None, usize::MAX).0.into_iter().map(|listed| listed.record.id).collect()
    }

    /// An operator ends a request, on whichever node they are open.
    #[doc(hidden)]
    pub fn simulate_end_by_operator(&self, id: RequestId, owner: Option<NodeId>) {
        match owner {
            Some(_) => self.withdraw_from(id, owner, EndedBy::Operator),
            None => drop(self.end_by_operator(&[id])),
        }
    }

    /// An operator closes the connections of a key; how many there were.
    #[doc(hidden)]
    pub fn simulate_disconnect(&self, key: &PublicKeyBytes) -> usize {
        self.disconnect(key)
    }

    /// An operator has these keys blocked, and no others.
    #[doc(hidden)]
    pub fn simulate_set_blocked(&self, keys: HashSet<PublicKeyBytes>) {
        self.set_blocked(keys);
    }

    /// How many connections of this node hold a key.
    #[doc(hidden)]
    pub fn simulate_holders(&self, key: &PublicKeyBytes) -> usize {
        self.holders_here(key)
    }

    /// What its clock shows.
    #[doc(hidden)]
    pub fn simulate_now(&self) -> Timestamp {
        self.now()
    }

    /// Looks whether the system's clock was set.
    #[doc(hidden)]
    pub fn simulate_look_at_the_clock(&self) {
        self.look_at_the_clock();
    }

    /// Withdraws a request.
    #[doc(hidden)]
    pub fn simulate_cancel(&self, id: RequestId) {
        self.withdraw(id, EndedBy::Requester);
    }

    /// Ends what has no time left.
    #[doc(hidden)]
    pub fn simulate_timeout(&self) {
        self.handle_timeout();
    }

    /// When that is next due.
    #[doc(hidden)]
    pub fn simulate_deadline(&self) -> Option<Timestamp> {
        self.poll_timeout()
    }

    /// Takes nothing new from now on.
    #[doc(hidden)]
    pub fn simulate_begin_drain(&self) {
        self.begin_drain();
    }

    /// Ends what does not outlive the process, and closes every connection.
    #[doc(hidden)]
    pub fn simulate_finish_drain(&self) {
        self.finish_drain();
    }

    /// Which indices something is left of any request in.
    #[doc(hidden)]
    pub fn simulate_leftovers(&self) -> Vec<&'static str> {
        self.leftovers()
    }

    /// An open durable request, as its backend may see it.
    #[doc(hidden)]
    pub fn simulate_record(&self, id: RequestId) -> Option<Record> {
        self.open_record(id)
    }
}

//! Those who ask: with patience or without, once or again, and whether or not anybody still listens.

use super::{
    coverage::Seen,
    environment::Environment,
    events::{CallId, Event, Millis, ServerId},
    invariants::TAKE_OVER,
    plan::{KEYS, LONGEST, Plan},
    server::Server,
    server_storage::ServerStorage,
    servers::Servers,
    storage::disk,
    watching::Watching,
};
use countersign_protocol::{Batch, BatchId, Message, RequestId, RequesterName};
use countersign_server::{
    Accepted, End, IdempotencyKey, Record, RequesterId, SigningError, Timestamp,
    simulation::{NewRequest, Waiting},
    storage::Idempotency,
};
use std::{
    collections::BTreeMap,
    num::NonZeroU32,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};
use tokio::sync::oneshot::{Receiver, error::TryRecvError};

/// Who asks.
pub(super) const REQUESTER: &str = "Example Shop";

/// How long a server looks for wallets that are connected with others.
const SEEK_PATIENCE: Millis = 2_000;

/// The longest an acceptance may take while the disk is slow.
const ACCEPT_PATIENCE: Millis = 30_000;

/// One thing that a backend wants, however often it has to ask.
#[derive(Debug)]
struct Call {
    key: usize,
    /// What it asks for, and what it asks for by mistake under the same idempotency key.
    bodies: [Vec<Arc<Message>>; 2],
    is_durable: bool,
    queue: bool,
    idempotency: Option<String>,
    timeout: Millis,
    delivery_timeout: Millis,
    max_pending: Option<NonZeroU32>,
    tries: u32,
    taken: Option<Vec<RequestId>>,
    /// The call in the place of whose request its own is to be.
    replaces: Option<CallId>,
    /// In which life of the server it was first asked.
    first_life: Option<u64>,
}

/// All that the backends want.
#[derive(Debug)]
pub(super) struct Backends {
    calls: Vec<Call>,
    max_inflight: usize,
}

struct Accepting {
    call: CallId,
    body: usize,
    ticket: u64,
    /// Where no repeated call would find them.
    unrepeatable: Vec<RequestId>,
    answer: Receiver<Result<Accepted, SigningError>>,
}

struct Waiter<'a> {
    call: CallId,
    waiting: Waiting<'a>,
    id: RequestId,
}

/// A call for which a server looks for wallets that are connected with others.
struct Seeking {
    call: CallId,
    body: usize,
    ticket: u64,
    found: Receiver<bool>,
}

/// The calls that a server holds open.
#[derive(Default)]
pub(super) struct Callers<'a> {
    seeking: Vec<Seeking>,
    /// Those for which there is nothing to wait for any more.
    sought: Vec<(CallId, usize)>,
    waiting: Vec<Waiter<'a>>,
    accepting: Vec<Accepting>,
    pub(super) watching: BTreeMap<RequestId, Watching>,
    accepted: Vec<(Accepting, Result<Accepted, SigningError>)>,
}

impl Backends {
    pub(super) fn new(environment: &mut Environment, plan: &Plan) -> Self {
        let Plan { calls, max_inflight, .. } = *plan;
        let keys = &plan.keys();
        let mut calls: Vec<_> = (0..calls).map(|number| Call::new(environment, number, keys, plan)).collect();
        for number in 0..calls.len() {
            let is_one = |call: &Call| call.is_durable && call.bodies[0].len() == 1;
            let before: Vec<_> = (0..number).filter(|other| is_one(&calls[*other])).collect();
            if is_one(&calls[number]) && !before.is_empty() && environment.chance(25) {
                let replaced = environment.pick(&before);
                calls[number].replaces = Some(replaced);
                calls[number].key = calls[replaced].key;
            } else {
                let at = environment.between(1_000, 85_000);
                environment.after(at, Event::Ask(number, 0));
            }
        }
        Self { calls, max_inflight }
    }

    /// Asks, or asks again, whichever server a balancer finds.
    pub(super) fn ask(&mut self, environment: &mut Environment, servers: &mut Servers<'_>, call: (CallId, usize)) {
        self.calls[call.0].tries += 1;
        let at = environment.rng.usize(..servers.len());
        match servers.paused_until(environment, at) {
            Some(until) => environment.at(until, Event::AskAt(at, call.0, call.1)),
            None => self.ask_at(environment, servers, at, call),
        }
    }

    /// A call reaches a server.
    pub(super) fn ask_at(
        &mut self,
        environment: &mut Environment,
        servers: &mut Servers<'_>,
        at: ServerId,
        (number, body): (CallId, usize),
    ) {
        let call = &mut self.calls[number];
        let Some(server) = servers.running(at) else { return retry(environment, call, number) };
        match server.service.simulate_seek(&KEYS[call.key].1.to_bytes()) {
            None => self.ask_now(environment, server, (number, body)),
            Some(found) => {
                environment.see(Seen::Sought);
                let ticket = environment.rng.u64(..);
                server.callers.seeking.push(Seeking { call: number, body, ticket, found });
                environment.after(SEEK_PATIENCE, Event::Sought(server.life, ticket));
            }
        }
    }

    /// A server has found the wallets there are.
    fn ask_now(&mut self, environment: &mut Environment, server: &mut Server<'_>, (number, body): (CallId, usize)) {
        let at = server.life.server;
        let replaced = self.calls[number].replaces.and_then(|replaced| self.calls[replaced].taken.as_deref());
        let replaced = replaced.and_then(|ids| ids.first().copied());
        let call = &mut self.calls[number];
        let records = call.records(environment, server.time(environment), body);
        let ids: Vec<_> = records.iter().map(|record| record.id).collect();
        debug_assert!(ids.len() <= self.max_inflight);
        for record in &records {
            environment.checker.asked(record, ids.clone(), call.is_durable, at);
        }
        environment.note(("ask", number, at, &ids), || {
            let kind = if call.is_durable { "durably" } else { "and waits" };
            format!(
                "backend {number}: asks server {at} {kind} for {ids:?} of key {}, within {} ms",
                call.key, call.timeout
            )
        });
        if ids.len() > 1 {
            environment.see(Seen::AskedBatch);
        }
        if let (Some(replaced), [id]) = (replaced, &ids[..]) {
            environment.see(Seen::AskedInPlace);
            environment.checker.asked_in_place(*id, replaced);
        }
        let refused = match call.is_durable {
            true => ask_durably(environment, server, call, (number, body), records, replaced),
            false => ask(environment, server, call, number, records),
        };
        if let Err(error) = refused {
            environment.see(Seen::AskRefused);
            if error == SigningError::TooManyInflight {
                environment.see(Seen::TooManyInflight);
            }
            if error == SigningError::KeyBlocked {
                environment.see(Seen::RefusedAsBlocked);
            }
            if error == SigningError::RequesterLimit && call.max_pending.is_some() {
                environment.see(Seen::OverOwnLimit);
            }
            if error == SigningError::UnknownRequest {
                environment.see(Seen::PlaceNotFree);
            }
            environment.note(("refused", number, error.code()), || format!("backend {number}: is refused: {error}"));
            retry(environment, call, number);
        }
    }

    /// Stops waiting.
    pub(super) fn hang_up(&self, environment: &mut Environment, servers: &mut Servers<'_>, number: CallId) {
        for at in 0..servers.len() {
            if !servers.running(at).is_some_and(|server| server.callers.is_waiting(number)) {
                continue;
            }
            if let Some(until) = servers.paused_until(environment, at) {
                environment.at(until, Event::HangUp(number));
                continue;
            }
            let Some(server) = servers.running(at) else { continue };
            let (gone, rest): (Vec<_>, Vec<_>) =
                std::mem::take(&mut server.callers.waiting).into_iter().partition(|waiter| waiter.call == number);
            server.callers.waiting = rest;
            environment.see(Seen::HungUp);
            environment.note(("hang up", number), || format!("backend {number}: hangs up"));
            for waiter in gone {
                environment.checker.closing(waiter.id);
            }
        }
    }

    pub(super) fn cancel(&self, environment: &mut Environment, servers: &mut Servers<'_>, number: CallId) {
        let (Some(at), Some(ids)) = (servers.awake(environment), &self.calls[number].taken) else { return };
        let Some(server) = servers.running(at) else { return };
        for id in ids {
            environment.note(("cancel", number, id), || format!("backend {number}: cancels {id} at server {at}"));
            let requester = RequesterId::from(&requester());
            let record = now(environment, &server.storage, server.service.record(&requester, *id));
            if let Poll::Ready(Ok(record)) = record {
                environment.checker.closing(*id);
                server.service.simulate_withdraw(*id, record.node);
            }
        }
    }

    /// Looks how its requests stand.
    pub(super) fn look_up(&self, environment: &mut Environment, servers: &mut Servers<'_>, number: CallId) {
        let Some(ids) = &self.calls[number].taken else { return };
        let server = servers.awake(environment).and_then(|at| servers.running(at));
        let mut is_open = server.is_none();
        if let Some(server) = server {
            for id in ids {
                is_open |= look_up(environment, server, *id);
            }
        }
        if is_open {
            let wait = environment.between(500, 20_000);
            environment.after(wait, Event::LookUp(number));
        }
    }

    pub(super) fn overdue(&self, environment: &mut Environment, servers: &Servers<'_>, number: CallId) {
        let Some(server) = servers.all().find(|server| server.callers.is_waiting(number)) else { return };
        if let Some(until) = servers.late_until(environment, server.life.server) {
            environment.at(until, Event::Overdue(number));
        } else {
            environment.checker.report("a waiter was not answered in time", || format!("call {number}"));
        }
    }

    pub(super) fn accept_overdue(&self, environment: &mut Environment, servers: &Servers<'_>, ticket: (CallId, u64)) {
        let is_it = |accepting: &Accepting| (accepting.call, accepting.ticket) == ticket;
        let mut all = servers.all();
        let Some(server) = all.find(|server| server.callers.accepting.iter().any(is_it)) else { return };
        if let Some(until) = servers.paused_until(environment, server.life.server) {
            environment.at(until + ACCEPT_PATIENCE, Event::AcceptOverdue(ticket.0, ticket.1));
        } else {
            environment
                .checker
                .report("a caller was not told whether its requests were taken", || format!("{ticket:?}"));
        }
    }

    /// Goes on with calls for which there is news; whether the server was asked for anything.
    pub(super) fn told(&mut self, environment: &mut Environment, server: &mut Server<'_>) -> bool {
        let sought = std::mem::take(&mut server.callers.sought);
        let has_asked = !sought.is_empty();
        for call in sought {
            self.ask_now(environment, server, call);
        }
        for (accepting, accepted) in std::mem::take(&mut server.callers.accepted) {
            let Accepting { call: number, body, unrepeatable, .. } = accepting;
            let call = &mut self.calls[number];
            let kept = Arc::clone(&environment.disk);
            match accepted {
                Ok(Accepted { request_ids, replayed }) => {
                    environment.note(("accepted", number, &request_ids), || {
                        format!("backend {number}: is told that {request_ids:?} are taken (replayed: {replayed})")
                    });
                    if replayed {
                        let is_later = call.first_life != Some(server.life.life);
                        environment.see(if is_later { Seen::ReplayedAfterCrash } else { Seen::Replayed });
                    }
                    let key = call.idempotency.as_deref().map(|key| (key, body));
                    environment.checker.accepted(&disk(&kept), key, &request_ids);
                    if request_ids.iter().any(|id| environment.checker.place_of(*id).is_some()) {
                        environment.see(Seen::TakenInPlace);
                    }
                    let is_first = call.taken.is_none();
                    let timeout = call.timeout;
                    call.follow(environment, server, number, request_ids);
                    if is_first {
                        self.replace_later(environment, number, timeout);
                    }
                }
                Err(SigningError::IdempotencyKeyReused) => {
                    environment.see(Seen::KeyReused);
                    let key = call.idempotency.as_deref().unwrap_or_default();
                    environment.checker.refused_as_reused(&disk(&kept), key, REQUESTER, fingerprint(body));
                }
                Err(error) => {
                    if error == SigningError::StorageUnavailable {
                        environment.see(Seen::AcceptRefusedByDisk);
                        environment.checker.refused(&unrepeatable, server.life.server);
                    }
                    environment.note(("refused", number, error.code()), || format!("backend {number}: {error}"));
                    retry(environment, call, number);
                }
            }
        }
        has_asked
    }

    /// Has those calls made that are to take the place of this one's request.
    fn replace_later(&self, environment: &mut Environment, replaced: CallId, timeout: Millis) {
        for (number, _) in self.calls.iter().enumerate().filter(|(_, call)| call.replaces == Some(replaced)) {
            // Before a wallet has it, while a human reads it, or when it is over.
            let wait =
                if environment.chance(80) { environment.between(0, 4_000) } else { environment.between(0, timeout) };
            environment.after(wait, Event::Ask(number, 0));
        }
    }

    /// A durable call's requests have had their time, and that of another server to end them.
    pub(super) fn end_overdue(&self, environment: &mut Environment, servers: &Servers<'_>, number: CallId) {
        let Some(ids) = &self.calls[number].taken else { return };
        let kept = Arc::clone(&environment.disk);
        let Some(open) = ids.iter().find(|id| !environment.checker.has_ended(&disk(&kept), **id)) else { return };
        // Where the database was put back, the same call has made others since.
        let due = environment.checker.requests.get(open).map_or(0, |request| request.expires_at) + TAKE_OVER;
        if environment.now < due {
            environment.at(due, Event::EndOverdue(number));
        } else if servers.is_any_sound(environment, TAKE_OVER) {
            environment.checker.report("a durable request did not end in time", || open.to_string());
        } else {
            environment.after(1_000, Event::EndOverdue(number));
        }
    }

    /// The server is gone, and with it every call that it held open.
    pub(super) fn server_gone(&mut self, environment: &mut Environment, callers: &Callers<'_>) {
        for waiter in &callers.waiting {
            environment.checker.closing(waiter.id);
        }
        for seeking in &callers.seeking {
            retry(environment, &mut self.calls[seeking.call], seeking.call);
        }
        let waiting = callers.waiting.iter().map(|waiter| waiter.call);
        let accepting = callers.accepting.iter().map(|accepting| accepting.call);
        let mut calls: Vec<_> = waiting.chain(accepting).collect();
        calls.dedup();
        for number in calls {
            // It cannot know whether it was taken, and only an idempotency key makes it safe to ask again.
            if self.calls[number].idempotency.is_some() {
                retry(environment, &mut self.calls[number], number);
            }
        }
    }
}

impl Call {
    fn new(environment: &mut Environment, number: CallId, keys: &[usize], plan: &Plan) -> Self {
        let size = if environment.chance(25) { environment.rng.usize(2..=4).min(plan.max_inflight) } else { 1 };
        let mut body = |which: usize| {
            let mut message = |at| format!("{which}: pay {at} to {number}, {}", environment.rng.u32(..));
            (0..size).map(|at| Arc::new(Message::try_from(message(at).into_bytes()).unwrap())).collect()
        };
        let bodies = [body(0), body(1)];
        let is_durable = environment.chance(60);
        let idempotency = (is_durable && environment.chance(55)).then(|| format!("key-{number}"));
        let longest = if environment.chance(25) { LONGEST } else { 20_000 };
        let timeout = environment.between(2_000, longest);
        let queue = is_durable && environment.chance(50);
        let delivery_timeout = if queue { timeout } else { environment.between(1_000, 10_000).min(timeout) };
        Self {
            key: environment.pick(keys),
            bodies,
            is_durable,
            queue,
            idempotency,
            timeout,
            delivery_timeout,
            max_pending: plan.max_pending,
            tries: 0,
            taken: None,
            replaces: None,
            first_life: None,
        }
    }

    fn records(&self, environment: &mut Environment, now: Timestamp, body: usize) -> Vec<Record> {
        let messages = &self.bodies[body];
        let size = u32::try_from(messages.len()).unwrap_or(u32::MAX);
        let batch = (size > 1).then(|| BatchId::from_random_bytes(environment.bytes()));
        let record = |(index, message): (u32, &Arc<Message>)| {
            let asked = NewRequest {
                id: RequestId::from_random_bytes(environment.bytes()),
                public_key: KEYS[self.key].1.to_bytes(),
                message: Arc::clone(message),
                requester: requester(),
                batch: batch.map(|id| Batch { id, index, size }),
                deliver_by: now.after(Duration::from_millis(self.delivery_timeout)),
                expires_at: now.after(Duration::from_millis(self.timeout)),
            };
            asked.record(now)
        };
        (0..).zip(messages).map(record).collect()
    }

    /// What a backend does about requests that were taken.
    fn follow(&mut self, environment: &mut Environment, server: &mut Server<'_>, number: CallId, ids: Vec<RequestId>) {
        if self.taken.is_none() {
            let wait = environment.between(100, 10_000);
            environment.after(wait, Event::LookUp(number));
            if let ServerStorage::Database(_) = server.storage {
                environment.after(self.timeout + TAKE_OVER, Event::EndOverdue(number));
            }
            if environment.chance(12) {
                let wait = environment.between(10, self.timeout);
                environment.after(wait, Event::Cancel(number));
            }
        }
        for id in &ids {
            if environment.chance(50) {
                server.callers.watching.insert(*id, Watching::begin(environment, server.service, *id));
            }
        }
        self.taken = Some(ids);
    }
}

pub(super) fn requester() -> RequesterName {
    REQUESTER.parse().unwrap()
}

fn fingerprint(body: usize) -> [u8; 32] {
    [u8::try_from(body).unwrap_or(u8::MAX); 32]
}

fn retry(environment: &mut Environment, call: &mut Call, number: CallId) {
    if call.tries < 5 && !environment.healed {
        let wait = environment.between(500, 8_000);
        environment.after(wait, Event::Ask(number, 0));
    }
}

fn ask(
    environment: &mut Environment,
    server: &mut Server<'_>,
    call: &Call,
    number: CallId,
    records: Vec<Record>,
) -> Result<(), SigningError> {
    let ids: Vec<_> = records.iter().map(|record| record.id).collect();
    let waiting = server.service.simulate_ask(records, call.max_pending)?;
    environment.see(Seen::Asked);
    let waiters = ids.into_iter().zip(waiting).map(|(id, waiting)| Waiter { call: number, waiting, id });
    server.callers.waiting.extend(waiters);
    // Whatever is due at that moment is done within it.
    environment.after(call.timeout + 1, Event::Overdue(number));
    if environment.chance(15) {
        let wait = environment.between(10, call.timeout);
        environment.after(wait, Event::HangUp(number));
    }
    Ok(())
}

fn ask_durably(
    environment: &mut Environment,
    server: &mut Server<'_>,
    call: &mut Call,
    (number, body): (CallId, usize),
    records: Vec<Record>,
    replaced: Option<RequestId>,
) -> Result<(), SigningError> {
    let ids = records.iter().map(|record| record.id);
    let unrepeatable = if call.idempotency.is_none() { ids.collect() } else { Vec::new() };
    let requester = records.first().map(|record| record.requester_id.clone());
    let idempotency = call.idempotency.as_ref().zip(requester).map(|(key, requester)| Idempotency {
        requester,
        key: key.parse::<IdempotencyKey>().unwrap(),
        fingerprint: fingerprint(body),
    });
    let kept = Arc::clone(&environment.disk);
    // What is open there, or else what is kept of it.
    let find = |id| server.service.simulate_record(id).or_else(|| disk(&kept).record(id).cloned());
    let stands = replaced.map(|replaced| find(replaced).ok_or(SigningError::UnknownRequest)).transpose()?;
    if stands.as_ref().is_some_and(|record| server.service.simulated_is_elsewhere(record)) {
        environment.see(Seen::PlaceElsewhere);
        environment.checker.asked_elsewhere(records.iter().map(|record| record.id));
    }
    let answer =
        server.service.simulate_ask_durably(records, idempotency, call.queue, call.max_pending, stands.as_ref())?;
    environment.see(Seen::AskedDurably);
    if call.first_life.is_none() {
        call.first_life = Some(server.life.life);
        if call.idempotency.is_some() {
            again(environment, number);
        }
    }
    let ticket = environment.rng.u64(..);
    server.callers.accepting.push(Accepting { call: number, body, ticket, unrepeatable, answer });
    environment.after(ACCEPT_PATIENCE, Event::AcceptOverdue(number, ticket));
    Ok(())
}

/// Has a call made again, as by a backend that got no answer, or by one that mixes up its keys.
fn again(environment: &mut Environment, number: CallId) {
    for (percent, body) in [(50, 0), (25, 0), (25, 1)] {
        if environment.chance(percent) {
            let wait = environment.between(0, 20_000);
            environment.after(wait, Event::Ask(number, body));
        }
    }
}

/// Polls what is ready as soon as the store has been asked, since nothing here waits for more.
pub(super) fn now<T>(environment: &Environment, storage: &ServerStorage, future: impl Future<Output = T>) -> Poll<T> {
    let (mut future, mut context) = (pin!(future), Context::from_waker(Waker::noop()));
    match future.as_mut().poll(&mut context) {
        Poll::Pending => {
            storage.answer_reads(environment);
            future.poll(&mut context)
        }
        ready @ Poll::Ready(_) => ready,
    }
}

/// Whether the request is still open, as far as can be known.
fn look_up(environment: &mut Environment, server: &Server<'_>, id: RequestId) -> bool {
    environment.see(Seen::LookedUp);
    server.note_lag(environment);
    let stranger: RequesterId = "Somebody Else".parse().unwrap();
    let look_up = |environment: &Environment, requester: &RequesterId| {
        now(environment, &server.storage, server.service.record(requester, id))
    };
    if let Poll::Ready(Ok(_)) = look_up(environment, &stranger) {
        environment.checker.report("a request was told to a stranger", || id.to_string());
    }
    match look_up(environment, &RequesterId::from(&requester())) {
        Poll::Ready(Ok(record)) => {
            tell(environment, &record, "look-up");
            record.end.is_none()
        }
        Poll::Ready(Err(error)) => {
            not_told(environment, &error, id);
            !environment.checker.is_forgotten(id)
        }
        Poll::Pending => {
            environment.checker.report("a look-up hangs", || id.to_string());
            false
        }
    }
}

/// A backend asks for what was accepted, and is told nothing of it: only a store that is away, or was put back to an earlier time, is a reason.
pub(super) fn not_told(environment: &mut Environment, error: &SigningError, id: RequestId) {
    if *error == SigningError::StorageUnavailable {
        environment.see(Seen::LookedUpInVain);
    } else if *error == SigningError::UnknownRequest && environment.checker.is_forgotten(id) {
        environment.see(Seen::ForgottenTold);
    } else {
        environment.checker.report("an accepted request is not known", || format!("{id}: {error}"));
    }
}

/// A backend learns how a request stands.
pub(super) fn tell(environment: &mut Environment, record: &Record, by: &'static str) {
    if let Some(end) = &record.end {
        let is_news = environment.checker.requests.get(&record.id).is_some_and(|request| request.told.is_none());
        if is_news {
            count(environment, record, end);
        }
    }
    environment.note(("told", by, record.id, record.state()), || {
        format!("backend: {} is {} ({:?}), by {by}", record.id, record.state(), record.end.as_ref().map(End::state))
    });
    let kept = Arc::clone(&environment.disk);
    environment.checker.told(&disk(&kept), record, by);
}

fn count(environment: &mut Environment, record: &Record, end: &End) {
    environment.see(Seen::AnswerTold);
    let is_signed = matches!(end, End::Signed { .. });
    if is_signed && record.attempt > 1 {
        environment.see(Seen::SignedAfterRedelivery);
    }
    let times = record.times.moved(environment.epoch().saturating_neg());
    let ended = times.ended.map_or(0, |ended| ended.as_millis());
    if is_signed && times.queued.as_millis() < environment.server_began && environment.server_began < ended {
        environment.see(Seen::SignedAfterRestart);
    }
    let seen = match end {
        End::Signed { .. } => Seen::Signed,
        End::Rejected { .. } => Seen::Rejected,
        End::InvalidSignature => Seen::BadSignature,
        End::MessageMismatch => Seen::OtherMessage,
        End::DeliveryTimeout => Seen::DeliveryTimedOut,
        End::Timeout(_) => Seen::Expired,
        End::Disconnected(_) => Seen::Disconnected,
        End::Cancelled => Seen::Cancelled,
        End::Draining => Seen::Drained,
        other => return environment.checker.report("an end that nobody knows", || format!("{other:?}")),
    };
    environment.see(seen);
}

impl Callers<'_> {
    fn is_waiting(&self, call: CallId) -> bool {
        self.waiting.iter().any(|waiter| waiter.call == call)
    }

    /// Asks without knowing which wallets there are.
    pub(super) fn give_up_seeking(&mut self, ticket: u64) {
        let (late, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.seeking).into_iter().partition(|seeking| seeking.ticket == ticket);
        self.seeking = rest;
        self.sought.extend(late.into_iter().map(|seeking| (seeking.call, seeking.body)));
    }

    /// Takes what there is for those who wait.
    pub(super) fn poll(&mut self, environment: &mut Environment, life: u64) {
        for mut seeking in std::mem::take(&mut self.seeking) {
            match seeking.found.try_recv() {
                Err(TryRecvError::Empty) => self.seeking.push(seeking),
                Ok(_) | Err(TryRecvError::Closed) => self.sought.push((seeking.call, seeking.body)),
            }
        }
        for mut waiter in std::mem::take(&mut self.waiting) {
            match waiter.waiting.poll() {
                Some(record) if record.end.is_some() => tell(environment, &record, "waiting"),
                Some(_) => environment.checker.report("a waiter was told no end", || waiter.id.to_string()),
                None => self.waiting.push(waiter),
            }
        }
        for mut accepting in std::mem::take(&mut self.accepting) {
            match accepting.answer.try_recv() {
                Ok(accepted) => self.accepted.push((accepting, accepted)),
                Err(TryRecvError::Empty) => self.accepting.push(accepting),
                Err(TryRecvError::Closed) => {
                    let call = accepting.call;
                    environment
                        .checker
                        .report("a caller was dropped silently", || format!("call {call} in life {life}"));
                }
            }
        }
    }

    /// All is over: nobody may wait any more.
    pub(super) fn finish(&self, environment: &mut Environment) {
        let left = (self.waiting.len(), self.accepting.len(), self.watching.len());
        if left != (0, 0, 0) {
            environment.checker.report("somebody still waits at the end", || format!("{left:?}"));
        }
    }
}

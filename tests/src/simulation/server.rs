//! One life of the server: the real service and its conversations, each polled when it has something to do.

use super::{
    backends::Callers,
    coverage::Seen,
    environment::{Environment, Fault},
    events::{Event, LinkId, Millis, ServerLife, Side},
    invariants::NEWS,
    network::{Network, Wire},
    plan::KEYS,
    server_storage::ServerStorage,
    storage::disk,
};
use countersign_protocol::{
    AckOutcome, Challenge, ClientFrame, ConnectionId, RequestId, ResponseAck, ServerFrame, Signature,
};
use countersign_server::{
    End, SigningService, Timestamp,
    connection::{Exit, Incoming},
    simulation::{Client, Conversation, Inbox, Judgement, NewConnection, Todo, turned_away},
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    task::{Context, Poll, Waker},
};

/// As long as a write may take at most, by the service's default.
pub(super) const WRITE_TIMEOUT: Millis = 10_000;

#[derive(Debug)]
struct Talk<'a> {
    conversation: Conversation<'a>,
    inbox: Inbox,
    timer: Option<Millis>,
    /// An answer that is being judged. Until then nothing else is taken up, as in the driver of a connection.
    judging: Option<Box<Judgement>>,
    /// What has arrived meanwhile.
    held: VecDeque<Wire>,
    /// What was answered on it: the signature, where there was one and nothing else.
    answers: BTreeMap<RequestId, Option<Signature>>,
}

impl<'a> Talk<'a> {
    fn new(conversation: Conversation<'a>, inbox: Inbox) -> Self {
        let (held, answers) = Default::default();
        Self { conversation, inbox, timer: None, judging: None, held, answers }
    }
}

/// The server while it runs.
pub(super) struct Server<'a> {
    pub(super) service: &'a SigningService,
    pub(super) storage: ServerStorage,
    pub(super) callers: Callers<'a>,
    pub(super) life: ServerLife,
    /// How far the clock that may be set was ahead, in milliseconds, when this life began: the service goes by that to its end.
    ahead: i64,
    pub(super) is_draining: bool,
    /// The most mail that a mailbox may ever hold.
    most_mail: usize,
    talks: BTreeMap<LinkId, Talk<'a>>,
    timer: Option<Millis>,
    /// The keys that are blocked, as it has last looked.
    blocked: BTreeSet<usize>,
}

impl<'a> Server<'a> {
    pub(super) fn new(
        environment: &Environment,
        service: &'a SigningService,
        storage: ServerStorage,
        life: ServerLife,
        max_inflight: usize,
    ) -> Self {
        Self {
            service,
            storage,
            callers: Callers::default(),
            life,
            ahead: environment.epoch(),
            is_draining: false,
            most_mail: 2 * max_inflight + 16,
            talks: BTreeMap::new(),
            timer: None,
            blocked: BTreeSet::new(),
        }
    }

    /// What its clock shows.
    pub(super) fn time(&self, environment: &Environment) -> Timestamp {
        Timestamp::from_millis(environment.now).moved(self.ahead)
    }

    pub(super) fn links(&self) -> Vec<LinkId> {
        self.talks.keys().copied().collect()
    }

    /// A connection has come about.
    pub(super) fn accept(&mut self, environment: &mut Environment, network: &mut Network, link: LinkId) {
        let newcomer = NewConnection {
            id: ConnectionId::from_random_bytes(environment.bytes()),
            challenge: Challenge::from(environment.bytes()),
            client: Client::default(),
            now: environment.instant(),
        };
        network.send(environment, link, Side::Wallet, Wire::Open);
        match Conversation::begin(self.service, newcomer) {
            Some((conversation, inbox, first)) => {
                self.talks.insert(link, Talk::new(conversation, inbox));
                self.perform(environment, network, link, first);
            }
            None => self.perform(environment, network, link, turned_away(self.service)),
        }
    }

    /// Something has arrived.
    pub(super) fn incoming(&mut self, environment: &mut Environment, network: &mut Network, link: LinkId, wire: Wire) {
        let now = environment.instant();
        let Some(talk) = self.talks.get_mut(&link) else { return };
        if talk.judging.is_some() {
            talk.held.push_back(wire);
            return;
        }
        let todo = match wire {
            Wire::Text(text) => {
                overhear(&mut talk.answers, &text);
                talk.conversation.handle_incoming(Incoming::Text(text.as_ref()), now)
            }
            Wire::Binary => talk.conversation.handle_incoming(Incoming::<&str>::Binary, now),
            Wire::Ping | Wire::Pong => talk.conversation.handle_incoming(Incoming::<&str>::Control, now),
            Wire::Close(..) => Todo::End(Exit::Peer),
            Wire::Open => Todo::Nothing,
        };
        self.perform(environment, network, link, todo);
    }

    /// Judges what has been answered, and goes on with what has arrived meanwhile.
    pub(super) fn judge(&mut self, environment: &mut Environment, network: &mut Network, link: LinkId) {
        let Some(talk) = self.talks.get_mut(&link) else { return };
        let Some(judgement) = talk.judging.take() else { return };
        let todo = talk.conversation.conclude(*judgement);
        let held = std::mem::take(&mut talk.held);
        self.perform(environment, network, link, todo);
        for wire in held {
            self.incoming(environment, network, link, wire);
        }
    }

    /// The connection is gone, or the server has been waiting too long for a write.
    pub(super) fn lose(&mut self, environment: &mut Environment, network: &mut Network, link: LinkId) {
        if self.talks.remove(&link).is_some() {
            network.leave(environment, link, Side::Server);
        }
    }

    pub(super) fn conversation_timer(&mut self, environment: &mut Environment, network: &mut Network, link: LinkId) {
        let now = environment.instant();
        let Some(talk) = self.talks.get_mut(&link) else { return };
        // That of an earlier time has been seen to, and another one set.
        if talk.timer.is_some_and(|timer| timer > environment.now) {
            return;
        }
        talk.timer = None;
        if network.is_blocked(link) || talk.judging.is_some() {
            return;
        }
        let todo = talk.conversation.handle_timeout(now);
        self.perform(environment, network, link, todo);
    }

    pub(super) fn service_timer(&mut self, environment: &mut Environment) {
        // That of an earlier time has been seen to, and another one set.
        if self.timer.is_some_and(|timer| timer > environment.now) {
            return;
        }
        self.timer = None;
        if environment.fault != Some(Fault::ClockStands) {
            self.service.simulate_timeout();
        }
    }

    /// Somebody has set the system's clock.
    pub(super) fn clock_set(&self) {
        self.service.simulate_look_at_the_clock();
        if let ServerStorage::Disk(drive) = &self.storage {
            drive.store.sync(usize::MAX).tell();
        }
    }

    /// Looks which keys are blocked.
    pub(super) fn look_at_blocks(&mut self, environment: &mut Environment) {
        if self.blocked == environment.blocked {
            return;
        }
        self.blocked.clone_from(&environment.blocked);
        environment.note(("blocks", self.life.server, &self.blocked), || {
            format!("server {}: has {:?} blocked", self.life.server, self.blocked)
        });
        if environment.fault != Some(Fault::BlocksAreKeptQuiet) {
            let keys = self.blocked.iter().map(|key| KEYS[*key].1.to_bytes());
            self.service.simulate_set_blocked(keys.collect());
        }
    }

    /// Nobody holds a key that is blocked.
    fn check_blocks(&self, environment: &mut Environment) {
        for key in &self.blocked {
            if self.service.simulate_holders(&KEYS[*key].1.to_bytes()) > 0 {
                environment
                    .checker
                    .report("a blocked key is held", || format!("key {key} at server {}", self.life.server));
            }
        }
    }

    /// Until when it may not know what others know, where there may be others.
    fn lags_until(&self, environment: &Environment) -> Option<Millis> {
        match self.storage {
            ServerStorage::Disk(_) => None,
            ServerStorage::Database(_) => Some(environment.database.sound_since(self.life.server) + NEWS),
        }
    }

    /// Takes note of how far behind the others it may be with what it tells.
    pub(super) fn note_lag(&self, environment: &mut Environment) {
        environment.checker.lags_until = self.lags_until(environment);
    }

    /// All is over: nothing may be left.
    pub(super) fn finish(&self, environment: &mut Environment) {
        let pending = self.service.pending();
        if pending != 0 {
            environment.checker.report("requests are pending at the end", || pending.to_string());
        }
        self.callers.finish(environment);
        let leftovers = self.service.simulate_leftovers();
        if !leftovers.is_empty() {
            let server = self.life.server;
            environment
                .checker
                .report("something is left of requests that are over", || format!("{leftovers:?} of server {server}"));
        }
    }

    /// Lets everything happen that can happen now.
    pub(super) fn settle(&mut self, environment: &mut Environment, network: &mut Network) {
        let mut context = Context::from_waker(Waker::noop());
        for link in self.links() {
            let mut mails = 0;
            while !network.is_blocked(link)
                && let Some(talk) = self.talks.get_mut(&link)
                && talk.judging.is_none()
                && let Poll::Ready(mail) = talk.inbox.poll_recv(&mut context)
            {
                mails += 1;
                let todo = talk.conversation.handle_mail(mail);
                self.perform(environment, network, link, todo);
            }
            if mails > self.most_mail {
                environment
                    .checker
                    .report("a mailbox held more than it may", || format!("{mails} on connection {link}"));
            }
        }
        self.check_blocks(environment);
        self.note_lag(environment);
        self.callers.poll(environment, self.life.life);
        let Self { service, storage, callers, .. } = self;
        callers.watching.retain(|_, watching| watching.follow(environment, service, storage));
        self.arm(environment, network);
    }

    fn arm(&mut self, environment: &mut Environment, network: &Network) {
        for (link, talk) in self.talks.iter_mut().filter(|(_, talk)| talk.judging.is_none()) {
            let due = environment.millis_of(talk.conversation.poll_timeout());
            if talk.timer.is_none_or(|timer| due < timer) && !network.is_blocked(*link) {
                talk.timer = Some(due);
                environment.at(due, Event::ConversationTimer(*link));
            }
        }
        let due = self.service.simulate_deadline().map(|due| due.moved(self.ahead.saturating_neg()).as_millis());
        if let Some(due) = due
            && self.timer.is_none_or(|timer| due < timer)
            && environment.fault != Some(Fault::ClockStands)
        {
            self.timer = Some(due);
            environment.at(due, Event::ServiceTimer(self.life));
        }
        self.storage.arm(environment, self.life);
    }

    fn perform(&mut self, environment: &mut Environment, network: &mut Network, link: LinkId, todo: Todo) {
        match todo {
            Todo::Nothing => {}
            Todo::Text(text) | Todo::Acknowledge(text) => self.say(environment, network, link, text),
            Todo::Ping => network.send(environment, link, Side::Wallet, Wire::Ping),
            Todo::Close { text, code, reason } => {
                match reason {
                    "too_many_errors" => environment.see(Seen::TooManyErrors),
                    "too_many_connections" => environment.see(Seen::TooManyConnections),
                    _ => {}
                }
                self.say(environment, network, link, text);
                network.send(environment, link, Side::Wallet, Wire::Close(code, reason));
                self.talks.remove(&link);
            }
            Todo::Judge(judgement) => {
                if let Some(talk) = self.talks.get_mut(&link) {
                    talk.judging = Some(judgement);
                    // Some go on at once, and others when much else has happened.
                    environment.at(environment.now + environment.now % 3, Event::Judge(link));
                }
            }
            Todo::End(exit) => {
                environment.note(("server ends", link), || {
                    format!("server {}: ends connection {link}: {exit:?}", self.life.server)
                });
                self.talks.remove(&link);
                network.leave(environment, link, Side::Server);
            }
        }
    }

    fn say(&self, environment: &mut Environment, network: &mut Network, link: LinkId, text: String) {
        environment.note(("server", link, &text), || format!("server {} → {link}: {text}", self.life.server));
        if let Some(talk) = self.talks.get(&link)
            && self.lags_until(environment).is_none_or(|until| until <= environment.now)
        {
            check_acknowledgement(environment, &talk.answers, &text);
        }
        network.send(environment, link, Side::Wallet, Wire::Text(text.into()));
    }
}

/// Takes note of an answer. Reading every frame would cost more than all the rest.
fn overhear(answers: &mut BTreeMap<RequestId, Option<Signature>>, text: &str) {
    if !text.starts_with(r#"{"type":"sign_re"#) {
        return;
    }
    let (id, signature) = match ClientFrame::parse(text) {
        Ok(ClientFrame::SignResponse(response)) => (response.request_id, Some(response.signature)),
        Ok(ClientFrame::SignReject(reject)) => (reject.request_id, None),
        Ok(_) | Err(_) => return,
    };
    let known = answers.entry(id).or_insert(signature);
    if *known != signature {
        *known = None;
    }
}

/// The signature that was taken is accepted again, whoever sends it on whatever connection, and whatever the server has been through.
fn check_acknowledgement(environment: &mut Environment, answers: &BTreeMap<RequestId, Option<Signature>>, text: &str) {
    if !text.starts_with(r#"{"type":"response_ack"#) {
        return;
    }
    let Ok(ServerFrame::ResponseAck(ResponseAck { request_id: id, outcome })) = ServerFrame::parse(text) else {
        return;
    };
    let Some(Some(signature)) = answers.get(&id) else { return };
    let kept = Arc::clone(&environment.disk);
    let kept = disk(&kept);
    let is_taken = match kept.record(id).and_then(|record| record.end.as_ref()) {
        // The service acts on what it knows: what is written and not told yet, it does not.
        Some(End::Signed { signature: taken, .. }) => {
            taken == signature && !kept.is_unheard(id) && environment.checker.is_told(id)
        }
        Some(_) | None => false,
    };
    // By way of another server it may be told that what it says again is a duplicate, before it is told what became of the first.
    let is_first = outcome == AckOutcome::Duplicate && environment.database.is_in_use();
    if is_taken && outcome != AckOutcome::Accepted && !is_first {
        environment
            .checker
            .report("the signature that was taken was not accepted again", || format!("{id}: {outcome:?}"));
    }
}

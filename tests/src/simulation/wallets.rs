//! The devices: the real wallet in each, its storage, its key and its human.

use super::{
    clocks::Clocks,
    coverage::Seen,
    environment::{Environment, Fault},
    events::{Deed, DeviceId, Event, LinkId, Millis, ServerId, Side},
    hostile::Hostile,
    invariants::PROMPT_GRACE,
    network::{Network, Wire},
    plan::{AUDIENCE, KEYS, Kind},
    prompts::Witness,
    storage::disk,
    wallet_storage::WalletStorage,
};
use countersign_protocol::{
    ApprovedBy, ClientFrame, Device as WireDevice, RejectCode, RejectScope, RequestId, Signature,
};
use countersign_wasm::{
    backoff::{BackoffLimits, Jitter},
    effect::{End, Event as Told, Prompt, SignSubject, SignTask, State, Transmit},
    error::Error,
    nodes::Nodes,
    time::Timestamp,
    wallet::{Closed, Config, Incoming, Wallet},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    sync::Arc,
};

/// What an honest device has said lately, for somebody to say again.
const OVERHEARD: usize = 12;

/// How a device comes to a server.
#[derive(Debug, Clone, Copy)]
enum Route {
    /// By one address, behind which each connection is given to any of them.
    Balanced,
    /// By an address for each: this one, and when it is lost or not reached the next one.
    Listed(usize),
}

/// One device.
#[derive(Debug)]
pub(super) struct Device {
    pub(super) id: DeviceId,
    pub(super) key: usize,
    pub(super) kind: Kind,
    name: Option<WireDevice>,
    keeps: bool,
    core: Option<Wallet>,
    pub(super) hostile: Hostile,
    /// Counts the lives of the process, and the times it was closed in this one, by its owner or by an error.
    life: u64,
    closings: u64,
    clocks: Clocks,
    /// Until when its machine sleeps, or slept last.
    pub(super) asleep_until: Millis,
    wallet_storage: WalletStorage,
    is_waived: bool,
    pub(super) dial: u64,
    pub(super) link: Option<LinkId>,
    pub(super) offline_until: Millis,
    route: Route,
    /// The server to which it is connected, or was last, and the one to which it was before.
    at: Option<ServerId>,
    was_at: Option<ServerId>,
    timer: Option<Millis>,
    /// Since when it is connected, and on which connection.
    welcomed: Option<(Millis, LinkId)>,
    /// What its human has before them, and since when.
    pub(super) open: BTreeMap<RequestId, Millis>,
    /// When of those one was asked again, which brings a new time.
    asked_again: BTreeMap<RequestId, Millis>,
    /// Of these, those that the human has decided.
    decided: BTreeSet<RequestId>,
    signatures: BTreeMap<RequestId, Signature>,
    pub(super) overheard: Vec<Rc<str>>,
}

impl Device {
    pub(super) fn new(environment: &mut Environment, id: DeviceId, key: usize, kind: Kind) -> Self {
        let named = WireDevice { id: format!("d{id}").parse().unwrap(), label: "simulated".parse().unwrap() };
        let is_anonymous = environment.chance(10);
        let keeps = environment.chance(90);
        Self {
            id,
            key,
            kind,
            name: (!is_anonymous).then_some(named),
            keeps,
            core: None,
            hostile: Hostile::default(),
            life: 0,
            closings: 0,
            clocks: Clocks::new(environment.fault == Some(Fault::WalletKnowsNoSleep)),
            asleep_until: 0,
            wallet_storage: WalletStorage::default(),
            is_waived: !keeps,
            dial: 0,
            link: None,
            offline_until: 0,
            route: if environment.chance(50) { Route::Balanced } else { Route::Listed(environment.rng.usize(..8)) },
            at: None,
            was_at: None,
            timer: None,
            welcomed: None,
            open: BTreeMap::new(),
            asked_again: BTreeMap::new(),
            decided: BTreeSet::new(),
            signatures: BTreeMap::new(),
            overheard: Vec::new(),
        }
    }

    pub(super) fn is_running(&self) -> bool {
        self.core.is_some()
    }

    fn clock(&mut self, environment: &Environment) -> Timestamp {
        self.clocks.read(environment.now)
    }

    /// The machine sleeps: what happens to it meanwhile waits.
    pub(super) fn sleep(&mut self, environment: &mut Environment, for_ms: Millis, stands_still: bool) {
        if !self.is_running() || self.asleep_until > environment.now {
            return;
        }
        environment.see(Seen::Slept);
        environment.note(("sleeps", self.id, for_ms), || format!("device {}: sleeps for {for_ms} ms", self.id));
        self.asleep_until = environment.now + for_ms;
        if stands_still {
            self.clocks.stand_still(for_ms);
        }
    }

    pub(super) fn set_clock(&mut self, environment: &mut Environment, by_ms: i64) {
        environment.see(Seen::DeviceClockSet);
        environment
            .note(("device clock", self.id, by_ms), || format!("device {}: its clock is set by {by_ms} ms", self.id));
        self.clocks.set(by_ms);
    }

    pub(super) fn name(&self) -> Option<WireDevice> {
        self.name.clone()
    }

    pub(super) fn start(&mut self, environment: &mut Environment, network: &mut Network) {
        if self.kind != Kind::Honest {
            return self.dial(environment, network);
        }
        if self.core.is_some() {
            return;
        }
        self.life += 1;
        self.closings = 0;
        self.clocks.begin(environment.now);
        let mut wallet = Wallet::new(Config {
            public_key: KEYS[self.key].1.to_bytes(),
            nodes: Nodes::new(AUDIENCE.parse().unwrap()),
            origin: Default::default(),
            device: self.name.clone(),
            backoff: BackoffLimits::default(),
            keeps: self.keeps,
        });
        for record in self.wallet_storage.load(self.clocks.zero(environment.now)) {
            wallet.restore(self.clock(environment), record);
        }
        self.core = Some(wallet);
        environment.note(("start", self.id), || format!("device {}: starts its life {}", self.id, self.life));
        self.input(environment, network, Wallet::connect);
    }

    pub(super) fn crash(&mut self, environment: &mut Environment, network: &mut Network) {
        if self.core.take().is_none() {
            return;
        }
        environment.see(Seen::WalletCrash);
        environment.note(("crash", self.id), || format!("device {}: crashes", self.id));
        self.timer = None;
        self.asleep_until = 0;
        self.dial += 1;
        self.open.clear();
        self.asked_again.clear();
        self.decided.clear();
        self.wallet_storage.crash(environment);
        if let Some(link) = self.link.take() {
            network.leave(environment, link, Side::Wallet);
        }
        if environment.mishap(8) {
            environment.see(Seen::StorageLost);
            self.wallet_storage.lose();
            self.is_waived = true;
        }
        let wait = environment.between(50, 15_000);
        environment.after(wait, Event::WalletStarts(self.id));
    }

    pub(super) fn timer(&mut self, environment: &mut Environment, network: &mut Network, life: u64) {
        // That of an earlier time has been seen to, and another one may be set.
        if life == self.life && self.timer.is_none_or(|timer| timer <= environment.now) {
            self.timer = None;
            self.input(environment, network, Wallet::handle_timeout);
        }
    }

    pub(super) fn shelved(&mut self, environment: &mut Environment, network: &mut Network, life: u64) {
        if life == self.life
            && self.core.is_some()
            && let Some(task) = self.wallet_storage.step()
        {
            self.input(environment, network, |wallet, now| wallet.handle_stored(now, task, Ok(())));
        }
    }

    /// The owner takes the wallet off the network, or puts it back.
    pub(super) fn close(&mut self, environment: &mut Environment, network: &mut Network) {
        if self.core.is_some() {
            environment.see(Seen::OwnerClosed);
            self.input(environment, network, |wallet, _| wallet.close());
        }
    }

    pub(super) fn connect(&mut self, environment: &mut Environment, network: &mut Network) {
        self.input(environment, network, Wallet::connect);
    }

    /// Which of so many servers it turns to.
    pub(super) fn server(&self, environment: &mut Environment, servers: usize) -> ServerId {
        match self.route {
            Route::Balanced => environment.rng.usize(..servers),
            Route::Listed(turn) => turn % servers,
        }
    }

    fn turn_to_the_next_server(&mut self) {
        if let Route::Listed(turn) = &mut self.route {
            *turn += 1;
        }
    }

    /// A dialled connection has come about, or has not.
    pub(super) fn reached(
        &mut self,
        environment: &mut Environment,
        network: &mut Network,
        dial: u64,
        link: Option<LinkId>,
    ) {
        if dial != self.dial {
            return;
        }
        self.link = link;
        match link {
            Some(link) => self.at = Some(network.link(link).server),
            None => self.turn_to_the_next_server(),
        }
        match (link, self.kind) {
            (Some(_), _) => {}
            (None, Kind::Honest) => self.closed(environment, network, Closed::Code(1006, String::new())),
            (None, Kind::Hostile | Kind::Replayer) => self.redial(environment),
        }
    }

    /// Something has come out of the pipe.
    pub(super) fn incoming(&mut self, environment: &mut Environment, network: &mut Network, link: LinkId, wire: Wire) {
        if self.link != Some(link) {
            return;
        }
        if wire == Wire::Ping {
            return network.send(environment, link, Side::Server, Wire::Pong);
        }
        if self.kind != Kind::Honest {
            return self.hostile_incoming(environment, network, link, wire);
        }
        match wire {
            Wire::Open => {
                self.input(environment, network, |wallet, _| wallet.handle_opened());
            }
            Wire::Text(text) => {
                self.input(environment, network, |wallet, now| wallet.handle_incoming(now, Incoming::Text(&text)));
            }
            Wire::Binary | Wire::Ping | Wire::Pong => {}
            Wire::Close(code, reason) => self.lost(environment, network, link, Closed::Code(code, reason.into())),
        }
    }

    pub(super) fn lost(&mut self, environment: &mut Environment, network: &mut Network, link: LinkId, closed: Closed) {
        if self.link != Some(link) {
            return;
        }
        self.link = None;
        self.dial += 1;
        self.turn_to_the_next_server();
        match self.kind {
            Kind::Honest => self.closed(environment, network, closed),
            Kind::Hostile | Kind::Replayer => self.redial(environment),
        }
    }

    fn closed(&mut self, environment: &mut Environment, network: &mut Network, closed: Closed) {
        let jitter = Jitter::new(environment.rng.f64());
        self.input(environment, network, |wallet, now| wallet.handle_closed(now, closed, jitter));
    }

    /// What a human does. They do not do it twice, nor to what is not there.
    pub(super) fn human(
        &mut self,
        environment: &mut Environment,
        network: &mut Network,
        life: u64,
        id: RequestId,
        deed: Deed,
    ) {
        let Some(since) = self.open.get(&id).copied().filter(|_| life == self.life) else { return };
        environment.note(("human", self.id, deed), || format!("device {}: {deed:?} {id}", self.id));
        let reject =
            |scope| move |wallet: &mut Wallet, now| wallet.reject(now, id, RejectCode::UserRejected, None, scope);
        let is_certain = self.welcomed.is_some_and(|(since, link)| {
            Some(link) == self.link
                && since.max(self.asleep_until).max(environment.database.calm_since()) + PROMPT_GRACE <= environment.now
                && network.is_sound(environment, link, PROMPT_GRACE)
        });
        let done = match deed {
            Deed::Look => self.input(environment, network, |wallet, _| wallet.displayed(id)),
            Deed::Approve => self.input(environment, network, |wallet, now| wallet.approve(now, id, ApprovedBy::Human)),
            Deed::DeclineForKey => self.input(environment, network, reject(RejectScope::Key)),
            Deed::DeclineHere => self.input(environment, network, reject(RejectScope::Device)),
        };
        if deed != Deed::Look && matches!(done, Some(Ok(()))) {
            self.decided.insert(id);
        }
        if deed == Deed::Approve && !self.clocks.was_set && matches!(done, Some(Ok(()))) {
            let asked = self.asked_again.get(&id).copied().unwrap_or_default().max(since);
            environment.checker.approved_on(self.id, id, asked);
        }
        // It may have run out, or be decided, while they made up their mind.
        if deed != Deed::Look && is_certain && matches!(done, Some(Ok(()))) {
            environment.checker.decided_on(self.id, id);
        }
    }

    pub(super) fn key_signs(
        &mut self,
        environment: &mut Environment,
        network: &mut Network,
        life: u64,
        task: &SignTask,
    ) {
        if life != self.life {
            return;
        }
        let is_message = matches!(task.subject, SignSubject::Message { .. });
        if is_message && environment.mishap(4) {
            environment.see(Seen::KeyLocked);
            self.input(environment, network, |wallet, now| wallet.handle_sign_failed(now, task.id, Error::KeyFreed));
            return;
        }
        let signature = task.signable().sign(&KEYS[self.key].0);
        if let SignSubject::Message { request_id, .. } = &task.subject {
            self.signatures.insert(*request_id, signature);
        }
        self.input(environment, network, |wallet, now| wallet.handle_signed(now, task.id, signature));
    }

    /// Gives the wallet one input, and carries out all that follows.
    fn input<R>(
        &mut self,
        environment: &mut Environment,
        network: &mut Network,
        input: impl FnOnce(&mut Wallet, Timestamp) -> R,
    ) -> Option<R> {
        let now = self.clock(environment);
        let result = input(self.core.as_mut()?, now);
        while self.carry_out_one(environment, network) {}
        let due = self.core.as_ref().and_then(Wallet::poll_timeout).map(|due| environment.now + (due - now).0);
        if let Some(due) = due
            && self.timer.is_none_or(|timer| due < timer)
        {
            self.timer = Some(due);
            environment.at(due, Event::WalletTimer(self.id, self.life));
        }
        Some(result)
    }

    fn carry_out_one(&mut self, environment: &mut Environment, network: &mut Network) -> bool {
        let Some(wallet) = &mut self.core else { return false };
        if let Some(task) = wallet.poll_store() {
            let zero = self.clocks.zero(environment.now);
            self.wallet_storage.submit(environment, (self.id, self.life), task, zero);
        } else if let Some(task) = wallet.poll_sign() {
            let wait = if environment.mishap(3) { environment.between(500, 5_000) } else { environment.between(0, 3) };
            environment.after(wait, Event::KeySigns(self.id, self.life, Box::new(task)));
        } else if let Some(transmit) = wallet.poll_transmit() {
            self.transmit(environment, network, transmit);
        } else if let Some(told) = wallet.poll_event() {
            self.tell(environment, told);
        } else {
            return false;
        }
        true
    }

    fn transmit(&mut self, environment: &mut Environment, network: &mut Network, transmit: Transmit) {
        match transmit {
            Transmit::Dial(_) => self.dial(environment, network),
            Transmit::Frame(frame) => {
                self.watch(environment, &frame);
                let text: Rc<str> = frame.to_json().into();
                self.say(environment, network, text);
            }
            Transmit::Close(code) => {
                self.dial += 1;
                if let Some(link) = self.link.take() {
                    network.send(environment, link, Side::Server, Wire::Close(code.as_u16(), ""));
                    network.leave(environment, link, Side::Wallet);
                }
                let jitter = Jitter::new(environment.rng.f64());
                let now = self.clock(environment);
                if let Some(wallet) = &mut self.core {
                    wallet.handle_closed(now, Closed::AsAsked, jitter);
                }
            }
        }
    }

    /// Takes note of what the wallet lets out.
    fn watch(&mut self, environment: &mut Environment, frame: &ClientFrame) {
        match frame {
            ClientFrame::SignResponse(response) => {
                environment.checker.signed_on(self.id, response.request_id);
                self.note_sent(environment, response.request_id);
            }
            ClientFrame::SignReject(reject) => {
                self.note_sent(environment, reject.request_id);
                if reject.code == RejectCode::Unsupported {
                    environment.checker.asked_too_much(self.id);
                }
            }
            ClientFrame::Introduction(_)
            | ClientFrame::RequestStatus(_)
            | ClientFrame::Ping(_)
            | ClientFrame::Pong(_) => {}
        }
    }

    fn note_sent(&self, environment: &mut Environment, id: RequestId) {
        if environment.checker.prompts.sent(self.id, id) {
            environment.see(Seen::AnswerSentAgain);
        }
    }

    pub(super) fn say(&mut self, environment: &mut Environment, network: &mut Network, text: Rc<str>) {
        let Some(link) = self.link else { return };
        environment.note(("device", self.id, &text), || format!("device {} → {link}: {text}", self.id));
        if self.overheard.len() >= OVERHEARD {
            self.overheard.remove(1);
        }
        self.overheard.push(Rc::clone(&text));
        network.send(environment, link, Side::Server, Wire::Text(text));
    }

    pub(super) fn dial(&mut self, environment: &mut Environment, network: &mut Network) {
        self.dial += 1;
        self.link = None;
        let wait = network.latency(environment) + 1;
        environment.after(wait, Event::Reach { device: self.id, dial: self.dial });
    }

    pub(super) fn redial(&mut self, environment: &mut Environment) {
        if !environment.healed {
            let wait = environment.between(2_000, 30_000);
            environment.after(wait, Event::WalletStarts(self.id));
        }
    }

    fn tell(&mut self, environment: &mut Environment, told: Told) {
        match told {
            Told::State(State::Closed(error)) => {
                let name = error.as_ref().map_or("owner", Error::code);
                environment.note(("closed", self.id, name), || format!("device {}: is closed: {name}", self.id));
                self.closings += 1;
                let wait = environment.between(500, 8_000);
                environment.after(wait, Event::OwnerConnects(self.id));
            }
            Told::State(State::Connected(_)) => {
                environment.see(Seen::Introduced);
                self.welcomed = self.link.map(|link| (environment.now, link));
                let before = std::mem::replace(&mut self.was_at, self.at);
                if before.is_some() && before != self.at && !self.open.is_empty() {
                    environment.see(Seen::MovedWhileAsked);
                }
            }
            Told::State(State::Connecting | State::Introducing | State::Reconnecting { .. }) => self.welcomed = None,
            Told::Requests(asked) => self.prompt(environment, &asked),
            Told::Repeated { request_id, .. } => {
                environment.see(Seen::Redelivered);
                self.asked_again.insert(request_id, environment.now);
            }
            Told::Answered(_) => {}
            Told::Ended { request_id, end } => self.ended(environment, request_id, &end),
            Told::Error(error) => {
                environment.note(("error", self.id, error.code()), || format!("device {}: {error}", self.id));
            }
        }
    }

    fn prompt(&mut self, environment: &mut Environment, asked: &[Prompt]) {
        environment.see(Seen::Prompt);
        let witness = |asked: &Prompt| Witness {
            life: (self.life, self.closings),
            has_shown: self.wallet_storage.shown.contains(&asked.request.request_id),
            has_decided: self.wallet_storage.decided.contains(&asked.request.request_id),
            has_run_out: self.wallet_storage.over.contains(&asked.request.request_id),
            is_waived: self.is_waived || self.wallet_storage.has_hung,
            resumed: asked.resumed,
            clock_was_set: self.clocks.was_set,
        };
        let ids: Vec<_> = asked.iter().map(|asked| (asked.request.request_id, witness(asked))).collect();
        let batch = asked.first().and_then(|asked| asked.request.batch);
        if asked.len() > 1 {
            environment.see(Seen::BatchPrompt);
        }
        if ids.iter().any(|(id, _)| environment.checker.requests.get(id).map(|request| request.asked_at) != self.at) {
            environment.see(Seen::WalletElsewhere);
        }
        if asked.iter().any(|asked| asked.resumed) {
            environment.see(Seen::ResumedPrompt);
        }
        environment.note(("prompt", self.id, ids.len()), || {
            let shown: Vec<_> = asked.iter().map(|asked| (asked.request.request_id, asked.resumed)).collect();
            format!("device {}: shows {shown:?}", self.id)
        });
        for (id, _) in &ids {
            self.look_at_place(environment, *id);
        }
        let kept = Arc::clone(&environment.disk);
        environment.checker.shown(&disk(&kept), self.id, &ids, batch.map(|batch| batch.size));
        for (id, _) in ids {
            self.open.insert(id, environment.now);
            self.mind(environment, id);
        }
    }

    /// A request comes before the human: what was asked on the same connection, and in whose place it is, is gone by then. What the human has
    /// decided is so too, although it is not over until the server has said what came of that.
    fn look_at_place(&self, environment: &mut Environment, id: RequestId) {
        let Some(replaced) = environment.checker.place_of(id) else { return };
        environment.see(Seen::ShownInPlace);
        if !environment.checker.is_in_step(id) {
            return;
        }
        let is_owner = environment.checker.requests.get(&id).map(|request| request.asked_at) == self.at;
        let shown_since = self.open.get(&replaced).copied();
        let is_connected = self
            .welcomed
            .is_some_and(|(since, link)| Some(link) == self.link && shown_since.is_some_and(|shown| since <= shown));
        if is_owner && is_connected && !self.decided.contains(&replaced) {
            environment.checker.report("a request was shown beside the one in whose place it is", || {
                format!("{id} beside {replaced} on device {}", self.id)
            });
        }
    }

    /// Decides what the human will do about a request, and when.
    fn mind(&self, environment: &mut Environment, id: RequestId) {
        if environment.chance(90) {
            let wait = environment.between(10, 800);
            environment.after(wait, Event::Human(self.id, self.life, id, Deed::Look));
        }
        let deed = match environment.rng.u32(0..100) {
            0..68 => Deed::Approve,
            68..78 => Deed::DeclineForKey,
            78..90 => Deed::DeclineHere,
            90.. => return,
        };
        let wait = match environment.rng.u32(0..100) {
            0..65 => environment.between(50, 5_000),
            65..90 => environment.between(3_000, 20_000),
            90.. => environment.between(15_000, 70_000),
        };
        environment.after(wait, Event::Human(self.id, self.life, id, deed));
    }

    fn ended(&mut self, environment: &mut Environment, id: RequestId, end: &End) {
        self.open.remove(&id);
        self.asked_again.remove(&id);
        self.decided.remove(&id);
        environment.note(("ended", self.id, end.as_str()), || format!("device {}: {id} ended: {end:?}", self.id));
        // Closed by its owner, without its key, or over by a clock that was set ahead: until that is written or sent, a crash undoes it.
        let is_own_doing = matches!(end, End::Failed(Error::Closed | Error::KeyFreed | Error::Server { .. }))
            || matches!(end, End::Expired) && environment.checker.is_open(id);
        if let Some(name) = environment.checker.prompts.ended(self.id, id, (self.life, self.closings), is_own_doing) {
            environment.checker.report(name, || format!("{id} on device {}: {end:?}", self.id));
        }
        let signature = self.signatures.get(&id).copied();
        let kept = Arc::clone(&environment.disk);
        match end {
            End::AnsweredElsewhere => environment.checker.told_wallet(&disk(&kept), self.id, id, true),
            End::Cancelled => environment.checker.told_wallet(&disk(&kept), self.id, id, false),
            _ => {}
        }
        match (end, signature) {
            (End::Accepted, Some(signature)) => {
                environment.see(Seen::Accepted);
                environment.checker.used(&disk(&kept), id, signature);
            }
            (End::Accepted, None) => {
                environment.checker.report("a wallet was told of an acceptance it never asked for", || id.to_string())
            }
            (End::Late, signature) => {
                environment.see(Seen::Late);
                if let Some(signature) = signature {
                    environment.checker.unused(&disk(&kept), id, signature);
                }
            }
            (End::Failed(Error::UnknownRequest), Some(signature)) => {
                environment.see(Seen::Unknown);
                environment.checker.unknown(&disk(&kept), id, signature);
            }
            (End::Failed(error @ (Error::BadSignature | Error::MessageMismatch)), _) => {
                environment.checker.report("an honest signature was refused", || format!("{id}: {error}"));
            }
            (End::Failed(Error::Unconfirmed), _) => environment.see(Seen::Unconfirmed),
            (End::AnsweredElsewhere, _) => environment.see(Seen::AnsweredElsewhere),
            (End::Declined | End::Cancelled | End::Expired | End::Failed(_), _) => {}
        }
    }

    /// All is over.
    pub(super) fn finish(&self, environment: &mut Environment) {
        if let Some(id) = self.open.keys().next() {
            environment.checker.report("a prompt never ended", || format!("{id} on device {}", self.id));
        }
        if self.wallet_storage.len() > 512 {
            environment.checker.report("a wallet keeps more than it may", || self.wallet_storage.len().to_string());
        }
    }
}

//! The devices: the real wallet in each, its storage, its key and its human.

use super::{
    clocks::Clocks,
    coverage::Seen,
    events::{Deed, DeviceId, Event, LinkId, Millis, ServerId, Side},
    ground::{Fault, Ground},
    hostile::Hostile,
    invariants::PROMPT_GRACE,
    network::{Network, Wire},
    plan::{AUDIENCE, KEYS, Kind},
    prompts::Witness,
    shelf::Shelf,
    storage::disk,
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
    shelf: Shelf,
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
    pub(super) fn new(ground: &mut Ground, id: DeviceId, key: usize, kind: Kind) -> Self {
        let named = WireDevice { id: format!("d{id}").parse().unwrap(), label: "simulated".parse().unwrap() };
        let is_anonymous = ground.chance(10);
        let keeps = ground.chance(90);
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
            clocks: Clocks::new(ground.fault == Some(Fault::WalletKnowsNoSleep)),
            asleep_until: 0,
            shelf: Shelf::default(),
            is_waived: !keeps,
            dial: 0,
            link: None,
            offline_until: 0,
            route: if ground.chance(50) { Route::Balanced } else { Route::Listed(ground.rng.usize(..8)) },
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

    fn clock(&mut self, ground: &Ground) -> Timestamp {
        self.clocks.read(ground.now)
    }

    /// The machine sleeps: what happens to it meanwhile waits.
    pub(super) fn sleep(&mut self, ground: &mut Ground, for_ms: Millis, stands_still: bool) {
        if !self.is_running() || self.asleep_until > ground.now {
            return;
        }
        ground.see(Seen::Slept);
        ground.note(("sleeps", self.id, for_ms), || format!("device {}: sleeps for {for_ms} ms", self.id));
        self.asleep_until = ground.now + for_ms;
        if stands_still {
            self.clocks.stand_still(for_ms);
        }
    }

    pub(super) fn set_clock(&mut self, ground: &mut Ground, by_ms: i64) {
        ground.see(Seen::DeviceClockSet);
        ground.note(("device clock", self.id, by_ms), || format!("device {}: its clock is set by {by_ms} ms", self.id));
        self.clocks.set(by_ms);
    }

    pub(super) fn name(&self) -> Option<WireDevice> {
        self.name.clone()
    }

    pub(super) fn start(&mut self, ground: &mut Ground, network: &mut Network) {
        if self.kind != Kind::Honest {
            return self.dial(ground, network);
        }
        if self.core.is_some() {
            return;
        }
        self.life += 1;
        self.closings = 0;
        self.clocks.begin(ground.now);
        let mut wallet = Wallet::new(Config {
            public_key: KEYS[self.key].1.to_bytes(),
            nodes: Nodes::new(AUDIENCE.parse().unwrap()),
            origin: Default::default(),
            device: self.name.clone(),
            backoff: BackoffLimits::default(),
            keeps: self.keeps,
        });
        for record in self.shelf.load(self.clocks.zero(ground.now)) {
            wallet.restore(self.clock(ground), record);
        }
        self.core = Some(wallet);
        ground.note(("start", self.id), || format!("device {}: starts its life {}", self.id, self.life));
        self.input(ground, network, Wallet::connect);
    }

    pub(super) fn crash(&mut self, ground: &mut Ground, network: &mut Network) {
        if self.core.take().is_none() {
            return;
        }
        ground.see(Seen::WalletCrash);
        ground.note(("crash", self.id), || format!("device {}: crashes", self.id));
        self.timer = None;
        self.asleep_until = 0;
        self.dial += 1;
        self.open.clear();
        self.asked_again.clear();
        self.decided.clear();
        self.shelf.crash(ground);
        if let Some(link) = self.link.take() {
            network.leave(ground, link, Side::Wallet);
        }
        if ground.mishap(8) {
            ground.see(Seen::StorageLost);
            self.shelf.lose();
            self.is_waived = true;
        }
        let wait = ground.between(50, 15_000);
        ground.after(wait, Event::WalletStarts(self.id));
    }

    pub(super) fn timer(&mut self, ground: &mut Ground, network: &mut Network, life: u64) {
        // That of an earlier time has been seen to, and another one may be set.
        if life == self.life && self.timer.is_none_or(|timer| timer <= ground.now) {
            self.timer = None;
            self.input(ground, network, Wallet::handle_timeout);
        }
    }

    pub(super) fn shelved(&mut self, ground: &mut Ground, network: &mut Network, life: u64) {
        if life == self.life
            && self.core.is_some()
            && let Some(task) = self.shelf.step()
        {
            self.input(ground, network, |wallet, now| wallet.handle_stored(now, task, Ok(())));
        }
    }

    /// The owner takes the wallet off the network, or puts it back.
    pub(super) fn close(&mut self, ground: &mut Ground, network: &mut Network) {
        if self.core.is_some() {
            ground.see(Seen::OwnerClosed);
            self.input(ground, network, |wallet, _| wallet.close());
        }
    }

    pub(super) fn connect(&mut self, ground: &mut Ground, network: &mut Network) {
        self.input(ground, network, Wallet::connect);
    }

    /// Which of so many servers it turns to.
    pub(super) fn server(&self, ground: &mut Ground, servers: usize) -> ServerId {
        match self.route {
            Route::Balanced => ground.rng.usize(..servers),
            Route::Listed(turn) => turn % servers,
        }
    }

    fn turn_to_the_next_server(&mut self) {
        if let Route::Listed(turn) = &mut self.route {
            *turn += 1;
        }
    }

    /// A dialled connection has come about, or has not.
    pub(super) fn reached(&mut self, ground: &mut Ground, network: &mut Network, dial: u64, link: Option<LinkId>) {
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
            (None, Kind::Honest) => self.closed(ground, network, Closed::Code(1006, String::new())),
            (None, Kind::Hostile | Kind::Replayer) => self.redial(ground),
        }
    }

    /// Something has come out of the pipe.
    pub(super) fn incoming(&mut self, ground: &mut Ground, network: &mut Network, link: LinkId, wire: Wire) {
        if self.link != Some(link) {
            return;
        }
        if wire == Wire::Ping {
            return network.send(ground, link, Side::Server, Wire::Pong);
        }
        if self.kind != Kind::Honest {
            return self.hostile_incoming(ground, network, link, wire);
        }
        match wire {
            Wire::Open => {
                self.input(ground, network, |wallet, _| wallet.handle_opened());
            }
            Wire::Text(text) => {
                self.input(ground, network, |wallet, now| wallet.handle_incoming(now, Incoming::Text(&text)));
            }
            Wire::Binary | Wire::Ping | Wire::Pong => {}
            Wire::Close(code, reason) => self.lost(ground, network, link, Closed::Code(code, reason.into())),
        }
    }

    pub(super) fn lost(&mut self, ground: &mut Ground, network: &mut Network, link: LinkId, closed: Closed) {
        if self.link != Some(link) {
            return;
        }
        self.link = None;
        self.dial += 1;
        self.turn_to_the_next_server();
        match self.kind {
            Kind::Honest => self.closed(ground, network, closed),
            Kind::Hostile | Kind::Replayer => self.redial(ground),
        }
    }

    fn closed(&mut self, ground: &mut Ground, network: &mut Network, closed: Closed) {
        let jitter = Jitter::new(ground.rng.f64());
        self.input(ground, network, |wallet, now| wallet.handle_closed(now, closed, jitter));
    }

    /// What a human does. They do not do it twice, nor to what is not there.
    pub(super) fn human(&mut self, ground: &mut Ground, network: &mut Network, life: u64, id: RequestId, deed: Deed) {
        let Some(since) = self.open.get(&id).copied().filter(|_| life == self.life) else { return };
        ground.note(("human", self.id, deed), || format!("device {}: {deed:?} {id}", self.id));
        let reject =
            |scope| move |wallet: &mut Wallet, now| wallet.reject(now, id, RejectCode::UserRejected, None, scope);
        let is_certain = self.welcomed.is_some_and(|(since, link)| {
            Some(link) == self.link
                && since.max(self.asleep_until).max(ground.database.calm_since()) + PROMPT_GRACE <= ground.now
                && network.is_sound(ground, link, PROMPT_GRACE)
        });
        let done = match deed {
            Deed::Look => self.input(ground, network, |wallet, _| wallet.displayed(id)),
            Deed::Approve => self.input(ground, network, |wallet, now| wallet.approve(now, id, ApprovedBy::Human)),
            Deed::DeclineForKey => self.input(ground, network, reject(RejectScope::Key)),
            Deed::DeclineHere => self.input(ground, network, reject(RejectScope::Device)),
        };
        if deed != Deed::Look && matches!(done, Some(Ok(()))) {
            self.decided.insert(id);
        }
        if deed == Deed::Approve && !self.clocks.was_set && matches!(done, Some(Ok(()))) {
            let asked = self.asked_again.get(&id).copied().unwrap_or_default().max(since);
            ground.checker.approved_on(self.id, id, asked);
        }
        // It may have run out, or be decided, while they made up their mind.
        if deed != Deed::Look && is_certain && matches!(done, Some(Ok(()))) {
            ground.checker.decided_on(self.id, id);
        }
    }

    pub(super) fn key_signs(&mut self, ground: &mut Ground, network: &mut Network, life: u64, task: &SignTask) {
        if life != self.life {
            return;
        }
        let is_message = matches!(task.subject, SignSubject::Message { .. });
        if is_message && ground.mishap(4) {
            ground.see(Seen::KeyLocked);
            self.input(ground, network, |wallet, now| wallet.handle_sign_failed(now, task.id, Error::KeyFreed));
            return;
        }
        let signature = task.signable().sign(&KEYS[self.key].0);
        if let SignSubject::Message { request_id, .. } = &task.subject {
            self.signatures.insert(*request_id, signature);
        }
        self.input(ground, network, |wallet, now| wallet.handle_signed(now, task.id, signature));
    }

    /// Gives the wallet one input, and carries out all that follows.
    fn input<R>(
        &mut self,
        ground: &mut Ground,
        network: &mut Network,
        input: impl FnOnce(&mut Wallet, Timestamp) -> R,
    ) -> Option<R> {
        let now = self.clock(ground);
        let result = input(self.core.as_mut()?, now);
        while self.carry_out_one(ground, network) {}
        let due = self.core.as_ref().and_then(Wallet::poll_timeout).map(|due| ground.now + (due - now).0);
        if let Some(due) = due
            && self.timer.is_none_or(|timer| due < timer)
        {
            self.timer = Some(due);
            ground.at(due, Event::WalletTimer(self.id, self.life));
        }
        Some(result)
    }

    fn carry_out_one(&mut self, ground: &mut Ground, network: &mut Network) -> bool {
        let Some(wallet) = &mut self.core else { return false };
        if let Some(task) = wallet.poll_store() {
            let zero = self.clocks.zero(ground.now);
            self.shelf.submit(ground, (self.id, self.life), task, zero);
        } else if let Some(task) = wallet.poll_sign() {
            let wait = if ground.mishap(3) { ground.between(500, 5_000) } else { ground.between(0, 3) };
            ground.after(wait, Event::KeySigns(self.id, self.life, Box::new(task)));
        } else if let Some(transmit) = wallet.poll_transmit() {
            self.transmit(ground, network, transmit);
        } else if let Some(told) = wallet.poll_event() {
            self.tell(ground, told);
        } else {
            return false;
        }
        true
    }

    fn transmit(&mut self, ground: &mut Ground, network: &mut Network, transmit: Transmit) {
        match transmit {
            Transmit::Dial(_) => self.dial(ground, network),
            Transmit::Frame(frame) => {
                self.watch(ground, &frame);
                let text: Rc<str> = frame.to_json().into();
                self.say(ground, network, text);
            }
            Transmit::Close(code) => {
                self.dial += 1;
                if let Some(link) = self.link.take() {
                    network.send(ground, link, Side::Server, Wire::Close(code.as_u16(), ""));
                    network.leave(ground, link, Side::Wallet);
                }
                let jitter = Jitter::new(ground.rng.f64());
                let now = self.clock(ground);
                if let Some(wallet) = &mut self.core {
                    wallet.handle_closed(now, Closed::AsAsked, jitter);
                }
            }
        }
    }

    /// Takes note of what the wallet lets out.
    fn watch(&mut self, ground: &mut Ground, frame: &ClientFrame) {
        match frame {
            ClientFrame::SignResponse(response) => {
                ground.checker.signed_on(self.id, response.request_id);
                self.note_sent(ground, response.request_id);
            }
            ClientFrame::SignReject(reject) => {
                self.note_sent(ground, reject.request_id);
                if reject.code == RejectCode::Unsupported {
                    ground.checker.asked_too_much(self.id);
                }
            }
            ClientFrame::Introduction(_)
            | ClientFrame::RequestStatus(_)
            | ClientFrame::Ping(_)
            | ClientFrame::Pong(_) => {}
        }
    }

    fn note_sent(&self, ground: &mut Ground, id: RequestId) {
        if ground.checker.prompts.sent(self.id, id) {
            ground.see(Seen::AnswerSentAgain);
        }
    }

    pub(super) fn say(&mut self, ground: &mut Ground, network: &mut Network, text: Rc<str>) {
        let Some(link) = self.link else { return };
        ground.note(("device", self.id, &text), || format!("device {} → {link}: {text}", self.id));
        if self.overheard.len() >= OVERHEARD {
            self.overheard.remove(1);
        }
        self.overheard.push(Rc::clone(&text));
        network.send(ground, link, Side::Server, Wire::Text(text));
    }

    pub(super) fn dial(&mut self, ground: &mut Ground, network: &mut Network) {
        self.dial += 1;
        self.link = None;
        let wait = network.latency(ground) + 1;
        ground.after(wait, Event::Reach { device: self.id, dial: self.dial });
    }

    pub(super) fn redial(&mut self, ground: &mut Ground) {
        if !ground.healed {
            let wait = ground.between(2_000, 30_000);
            ground.after(wait, Event::WalletStarts(self.id));
        }
    }

    fn tell(&mut self, ground: &mut Ground, told: Told) {
        match told {
            Told::State(State::Closed(error)) => {
                let name = error.as_ref().map_or("owner", Error::code);
                ground.note(("closed", self.id, name), || format!("device {}: is closed: {name}", self.id));
                self.closings += 1;
                let wait = ground.between(500, 8_000);
                ground.after(wait, Event::OwnerConnects(self.id));
            }
            Told::State(State::Connected(_)) => {
                ground.see(Seen::Introduced);
                self.welcomed = self.link.map(|link| (ground.now, link));
                let before = std::mem::replace(&mut self.was_at, self.at);
                if before.is_some() && before != self.at && !self.open.is_empty() {
                    ground.see(Seen::MovedWhileAsked);
                }
            }
            Told::State(State::Connecting | State::Introducing | State::Reconnecting { .. }) => self.welcomed = None,
            Told::Requests(asked) => self.prompt(ground, &asked),
            Told::Repeated { request_id, .. } => {
                ground.see(Seen::Redelivered);
                self.asked_again.insert(request_id, ground.now);
            }
            Told::Answered(_) => {}
            Told::Ended { request_id, end } => self.ended(ground, request_id, &end),
            Told::Error(error) => {
                ground.note(("error", self.id, error.code()), || format!("device {}: {error}", self.id));
            }
        }
    }

    fn prompt(&mut self, ground: &mut Ground, asked: &[Prompt]) {
        ground.see(Seen::Prompt);
        let witness = |asked: &Prompt| Witness {
            life: (self.life, self.closings),
            has_shown: self.shelf.shown.contains(&asked.request.request_id),
            has_decided: self.shelf.decided.contains(&asked.request.request_id),
            has_run_out: self.shelf.over.contains(&asked.request.request_id),
            is_waived: self.is_waived || self.shelf.has_hung,
            resumed: asked.resumed,
        };
        let ids: Vec<_> = asked.iter().map(|asked| (asked.request.request_id, witness(asked))).collect();
        let batch = asked.first().and_then(|asked| asked.request.batch);
        if asked.len() > 1 {
            ground.see(Seen::BatchPrompt);
        }
        if ids.iter().any(|(id, _)| ground.checker.requests.get(id).map(|request| request.asked_at) != self.at) {
            ground.see(Seen::WalletElsewhere);
        }
        if asked.iter().any(|asked| asked.resumed) {
            ground.see(Seen::ResumedPrompt);
        }
        ground.note(("prompt", self.id, ids.len()), || {
            let shown: Vec<_> = asked.iter().map(|asked| (asked.request.request_id, asked.resumed)).collect();
            format!("device {}: shows {shown:?}", self.id)
        });
        for (id, _) in &ids {
            self.look_at_place(ground, *id);
        }
        let kept = Arc::clone(&ground.disk);
        ground.checker.shown(&disk(&kept), self.id, &ids, batch.map(|batch| batch.size));
        for (id, _) in ids {
            self.open.insert(id, ground.now);
            self.mind(ground, id);
        }
    }

    /// A request comes before the human: what was asked on the same connection, and in whose place it is, is gone by then. What the human has
    /// decided is so too, although it is not over until the server has said what came of that.
    fn look_at_place(&self, ground: &mut Ground, id: RequestId) {
        let Some(replaced) = ground.checker.place_of(id) else { return };
        ground.see(Seen::ShownInPlace);
        if !ground.checker.is_in_step(id) {
            return;
        }
        let is_owner = ground.checker.requests.get(&id).map(|request| request.asked_at) == self.at;
        let shown_since = self.open.get(&replaced).copied();
        let is_connected = self
            .welcomed
            .is_some_and(|(since, link)| Some(link) == self.link && shown_since.is_some_and(|shown| since <= shown));
        if is_owner && is_connected && !self.decided.contains(&replaced) {
            ground.checker.report("a request was shown beside the one in whose place it is", || {
                format!("{id} beside {replaced} on device {}", self.id)
            });
        }
    }

    /// Decides what the human will do about a request, and when.
    fn mind(&self, ground: &mut Ground, id: RequestId) {
        if ground.chance(90) {
            let wait = ground.between(10, 800);
            ground.after(wait, Event::Human(self.id, self.life, id, Deed::Look));
        }
        let deed = match ground.rng.u32(0..100) {
            0..68 => Deed::Approve,
            68..78 => Deed::DeclineForKey,
            78..90 => Deed::DeclineHere,
            90.. => return,
        };
        let wait = match ground.rng.u32(0..100) {
            0..65 => ground.between(50, 5_000),
            65..90 => ground.between(3_000, 20_000),
            90.. => ground.between(15_000, 70_000),
        };
        ground.after(wait, Event::Human(self.id, self.life, id, deed));
    }

    fn ended(&mut self, ground: &mut Ground, id: RequestId, end: &End) {
        self.open.remove(&id);
        self.asked_again.remove(&id);
        self.decided.remove(&id);
        ground.note(("ended", self.id, end.as_str()), || format!("device {}: {id} ended: {end:?}", self.id));
        // Closed by its owner, without its key, or over by a clock that was set ahead: until that is written or sent, a crash undoes it.
        let is_own_doing = matches!(end, End::Failed(Error::Closed | Error::KeyFreed | Error::Server { .. }))
            || matches!(end, End::Expired) && ground.checker.is_open(id);
        if let Some(name) = ground.checker.prompts.ended(self.id, id, (self.life, self.closings), is_own_doing) {
            ground.checker.report(name, || format!("{id} on device {}: {end:?}", self.id));
        }
        let signature = self.signatures.get(&id).copied();
        let kept = Arc::clone(&ground.disk);
        match end {
            End::AnsweredElsewhere => ground.checker.told_wallet(&disk(&kept), self.id, id, true),
            End::Cancelled => ground.checker.told_wallet(&disk(&kept), self.id, id, false),
            _ => {}
        }
        match (end, signature) {
            (End::Accepted, Some(signature)) => {
                ground.see(Seen::Accepted);
                ground.checker.used(&disk(&kept), id, signature);
            }
            (End::Accepted, None) => {
                ground.checker.report("a wallet was told of an acceptance it never asked for", || id.to_string())
            }
            (End::Late, signature) => {
                ground.see(Seen::Late);
                if let Some(signature) = signature {
                    ground.checker.unused(&disk(&kept), id, signature);
                }
            }
            (End::Failed(Error::UnknownRequest), Some(signature)) => {
                ground.see(Seen::Unknown);
                ground.checker.unknown(&disk(&kept), id, signature);
            }
            (End::Failed(error @ (Error::BadSignature | Error::MessageMismatch)), _) => {
                ground.checker.report("an honest signature was refused", || format!("{id}: {error}"));
            }
            (End::Failed(Error::Unconfirmed), _) => ground.see(Seen::Unconfirmed),
            (End::AnsweredElsewhere, _) => ground.see(Seen::AnsweredElsewhere),
            (End::Declined | End::Cancelled | End::Expired | End::Failed(_), _) => {}
        }
    }

    /// All is over.
    pub(super) fn finish(&self, ground: &mut Ground) {
        if let Some(id) = self.open.keys().next() {
            ground.checker.report("a prompt never ended", || format!("{id} on device {}", self.id));
        }
        if self.shelf.len() > 512 {
            ground.checker.report("a wallet keeps more than it may", || self.shelf.len().to_string());
        }
    }
}

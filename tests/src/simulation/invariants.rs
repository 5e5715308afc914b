//! What has to hold whatever happens, each under a name of its own.

use super::{
    events::{DeviceId, Millis, ServerId},
    prompts::{Prompts, Witness},
    servers::READ_GRACE,
    storage::Disk,
};
use countersign_protocol::{Message, PublicKeyBytes, RequestId, Signature};
use countersign_server::{End, Record};
use ed25519_dalek::VerifyingKey;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// A broken promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub name: &'static str,
    /// How it came out.
    pub detail: String,
}

/// What the world knows about a request that was asked for.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) public_key: PublicKeyBytes,
    pub(super) message: Arc<Message>,
    pub(super) is_durable: bool,
    /// The server that was asked.
    pub(super) asked_at: ServerId,
    /// All of its batch, itself among them.
    pub(super) batch: Vec<RequestId>,
    pub(super) expires_at: Millis,
    /// Its backend has been told that it is taken.
    pub(super) is_accepted: bool,
    /// What was ever told about its end, to whomever.
    pub(super) told: Option<End>,
    /// A signature of which a wallet was told that it was accepted.
    used: Option<Signature>,
    /// Signatures of which wallets were told that they were not.
    unused: Vec<Signature>,
    /// The devices that have sent one: two devices of one key make the same.
    signed_on: BTreeSet<DeviceId>,
    /// It is not open any more, or is about to end.
    pub(super) is_closing: bool,
    /// The database was put back to a time before it was taken.
    pub(super) is_forgotten: bool,
    /// The other servers have taken the one that was asked for gone, and may have told wallets that it is over.
    is_out_of_sight: bool,
    /// Since when it is certain to be over.
    over_since: Option<Millis>,
}

/// Watches over everything.
#[derive(Debug, Default)]
pub(super) struct Checker {
    pub(super) now: Millis,
    pub(super) requests: BTreeMap<RequestId, Request>,
    pub(super) prompts: Prompts,
    /// The requests told for each idempotency key, and by which of its bodies.
    keys: BTreeMap<String, (usize, Vec<RequestId>)>,
    /// Those that were free again after that: what was on its way to backends by then is old.
    freed: BTreeSet<String>,
    verified: BTreeSet<(RequestId, [u8; 64])>,
    /// Until when the server that tells something may not know what others know, where there may be others.
    pub(super) lags_until: Option<Millis>,
    /// Of which servers have said that they are not taken, and remember it.
    refused: BTreeMap<RequestId, ServerId>,
    /// In whose place each is that is in another's.
    places: BTreeMap<RequestId, RequestId>,
    /// Of those, the ones whose predecessor another node had.
    elsewhere: BTreeSet<RequestId>,
    /// What servers have taken over that know nothing of that.
    taken_over: BTreeSet<RequestId>,
    /// From when until when servers did not do anything, and read what lay there.
    pauses: Vec<(Millis, Millis)>,
    pub(super) violation: Option<Violation>,
}

/// How long a device may go on showing what is over, while it is connected and everything comes through: the slowest way there and back.
pub(super) const PROMPT_GRACE: Millis = 15_000;

/// How long it may take until a server knows that a request has ended which it took for open: a slow statement there and back, or its lease.
pub(super) const NEWS: Millis = 10_000;

/// How long after its deadline a request has to have ended in the database, where one server has been sound for that time: the lease of the
/// one that owned it, a second until that is noticed, and two statements, to take it over and to end it, each of which may take 4 s.
pub(super) const TAKE_OVER: Millis = 15_000;

/// A wallet counts a request's time from when it came, which is by so much later than it was sent, at most.
const SLOWEST_DELIVERY: Millis = 25_000;

/// How long a request has from when it is asked for.
fn span(record: &Record) -> Millis {
    record.expires_at.as_millis().saturating_sub(record.times.queued.as_millis())
}

impl Checker {
    /// Takes note of a broken promise; the first one counts.
    pub(super) fn report(&mut self, name: &'static str, detail: impl FnOnce() -> String) {
        if self.violation.is_none() {
            self.violation = Some(Violation { name, detail: detail() });
        }
    }

    pub(super) fn asked(&mut self, record: &Record, batch: Vec<RequestId>, is_durable: bool, asked_at: ServerId) {
        let request = Request {
            public_key: record.public_key,
            message: Arc::clone(&record.message),
            is_durable,
            asked_at,
            batch,
            expires_at: self.now + span(record),
            is_accepted: false,
            told: None,
            used: None,
            unused: Vec::new(),
            signed_on: BTreeSet::new(),
            is_closing: false,
            is_forgotten: false,
            is_out_of_sight: false,
            over_since: None,
        };
        self.requests.insert(record.id, request);
    }

    /// Asks for a request in the place of another.
    pub(super) fn asked_in_place(&mut self, id: RequestId, replaced: RequestId) {
        self.places.insert(id, replaced);
    }

    /// These are asked for in the place of what another node has, whose wallets learn of it a little later.
    pub(super) fn asked_elsewhere(&mut self, ids: impl Iterator<Item = RequestId>) {
        self.elsewhere.extend(ids);
    }

    /// Whether whoever asked for it had the other one too.
    pub(super) fn is_in_step(&self, id: RequestId) -> bool {
        !self.elsewhere.contains(&id)
    }

    /// The requests that were asked for in the place of this one.
    pub(super) fn places_of(&self, replaced: RequestId) -> impl Iterator<Item = RequestId> {
        self.places.iter().filter(move |(_, other)| **other == replaced).map(|(id, _)| *id)
    }

    /// In whose place a request is.
    pub(super) fn place_of(&self, id: RequestId) -> Option<RequestId> {
        self.places.get(&id).copied()
    }

    /// A request is there for others to see: the one in whose place it is has ended by then, and in no other way than to make room.
    fn check_place(&mut self, disk: &Disk, id: RequestId) {
        let Some(replaced) = self.place_of(id).filter(|replaced| !self.is_forgotten(*replaced)) else { return };
        let end = disk.record(replaced).and_then(|record| record.end.as_ref());
        if end != Some(&End::Cancelled) {
            let end = end.cloned();
            self.report("a request took a place that was not free", || format!("{id} that of {replaced}: {end:?}"));
        }
        let now = self.now;
        if let Some(request) = self.requests.get_mut(&replaced) {
            request.is_closing = true;
            request.over_since.get_or_insert(now);
        }
    }

    /// The database was put back to a time before these were taken, and these keys used: nobody may be told an end of them any more.
    pub(super) fn put_back(&mut self, ids: &[RequestId], keys: Vec<String>) {
        for id in ids {
            if let Some(request) = self.requests.get_mut(id) {
                request.is_forgotten = true;
            }
        }
        for key in keys {
            self.keys.remove(&key);
            self.freed.insert(key);
        }
    }

    pub(super) fn is_forgotten(&self, id: RequestId) -> bool {
        self.requests.get(&id).is_some_and(|request| request.is_forgotten)
    }

    /// A request is about to end, on its backend's wish.
    pub(super) fn closing(&mut self, id: RequestId) {
        let now = self.now;
        if let Some(request) = self.requests.get_mut(&id) {
            request.is_closing = true;
            // The end of one that has to outlive the process may take its time to be written.
            if !request.is_durable {
                request.over_since.get_or_insert(now);
            }
        }
    }

    /// A human decides, on a device whose connection has been sound for [`PROMPT_GRACE`].
    pub(super) fn decided_on(&mut self, device: DeviceId, id: RequestId) {
        let over_since = self.requests.get(&id).and_then(|request| request.over_since);
        let now = self.now;
        if let Some(since) = over_since.filter(|since| since + PROMPT_GRACE <= now) {
            self.report("a prompt outlived its request", || {
                format!("{id} on device {device}, over for {} ms", now - since)
            });
        }
    }

    /// A human approves what was asked, the last time, `since` then, on a device whose time of day nobody has set. What a machine that sleeps finds when it wakes may be
    /// over already: the wallet learns of that from the server.
    pub(super) fn approved_on(&mut self, device: DeviceId, id: RequestId, since: Millis) {
        let now = self.now;
        let expires_at = self.requests.get(&id).map(|request| request.expires_at);
        if let Some(expires_at) = expires_at.filter(|expires_at| since.max(*expires_at) + SLOWEST_DELIVERY <= now) {
            self.report("a request was signed after its time", || {
                format!("{id} on device {device}, over for {} ms", now - expires_at)
            });
        }
    }

    /// Whether a request has time left, and nobody was told of an end.
    pub(super) fn is_open(&self, id: RequestId) -> bool {
        self.requests.get(&id).is_some_and(|request| request.over_since.is_none() && self.now < request.expires_at)
    }

    /// Whether anybody was told its end.
    pub(super) fn is_told(&self, id: RequestId) -> bool {
        self.requests.get(&id).is_some_and(|request| request.told.is_some())
    }

    /// A device sends a signature.
    pub(super) fn signed_on(&mut self, device: DeviceId, id: RequestId) {
        if let Some(request) = self.requests.get_mut(&id) {
            request.signed_on.insert(device);
        }
    }

    /// Somebody is told how a request stands.
    pub(super) fn told(&mut self, disk: &Disk, record: &Record, by: &'static str) {
        let id = record.id;
        let Some(request) = self.requests.get_mut(&id) else {
            return self.report("a request was told that nobody asked for", || format!("{id} by {by}"));
        };
        if record.message != request.message || record.public_key != request.public_key {
            return self.report("a request was told with other contents", || format!("{id} by {by}"));
        }
        let Some(end) = &record.end else {
            let over_since = request.over_since.unwrap_or_default();
            // One of several servers may not have heard of it yet.
            let may_lag = self.lags_until.is_some_and(|until| self.now < until.max(over_since + NEWS));
            if let Some(told) = request.told.clone().filter(|_| !may_lag) {
                self.report("a request was open again after its end", || format!("{id} by {by}, after {told:?}"));
            }
            return;
        };
        request.is_closing = true;
        request.over_since.get_or_insert(self.now);
        if let Some(told) = request.told.replace(end.clone())
            && told != *end
        {
            return self.report("an end has changed", || format!("{id} by {by}: from {told:?} to {end:?}"));
        }
        let (expires_at, now) = (request.expires_at, self.now);
        let is_cut_short = request.is_out_of_sight && matches!(end, End::Disconnected(_));
        if request.is_durable && disk.record(id).and_then(|kept| kept.end.as_ref()) != Some(end) {
            return self.report("an end was told that is not on disk", || format!("{id} by {by}: {end:?}"));
        }
        if let End::Signed { signature, .. } = end {
            let late = record.times.ended.map(|ended| ended.since(record.expires_at).as_millis());
            let late = late.map_or(Millis::MAX, |late| Millis::try_from(late).unwrap_or(Millis::MAX));
            if late > 0 && !self.was_paused_at(expires_at, late) {
                return self.report("a signature was taken after the deadline", || id.to_string());
            }
            self.verify(id, signature);
        }
        if matches!(end, End::Timeout(_) | End::Disconnected(_)) && now < expires_at && !is_cut_short {
            return self.report("a request had less time than it was given", || format!("{id} by {by}"));
        }
        self.compare(id);
    }

    /// The others have given a server up, and it finds out.
    pub(super) fn given_up(&mut self, server: ServerId) {
        for request in self.requests.values_mut().filter(|request| request.asked_at == server && !request.is_durable) {
            request.is_out_of_sight = true;
        }
    }

    /// A server is paused until then. What comes in time and lies in its sockets meanwhile is read, and counts.
    pub(super) fn paused(&mut self, until: Millis) {
        self.pauses.push((self.now, until + READ_GRACE));
    }

    fn was_paused_at(&self, deadline: Millis, late: Millis) -> bool {
        self.pauses.iter().any(|(from, until)| *from <= deadline && deadline.saturating_add(late) <= *until)
    }

    fn verify(&mut self, id: RequestId, signature: &Signature) {
        let Some(request) = self.requests.get(&id) else { return };
        let bytes = *signature.as_bytes();
        if self.verified.contains(&(id, bytes)) {
            return;
        }
        let holds = VerifyingKey::from_bytes(request.public_key.as_bytes())
            .and_then(|key| key.verify_strict(request.message.as_bytes(), &bytes.into()))
            .is_ok();
        if holds {
            self.verified.insert((id, bytes));
        } else {
            self.report("a signature was told that does not verify", || id.to_string());
        }
    }

    /// A wallet is told that its signature was accepted.
    pub(super) fn used(&mut self, disk: &Disk, id: RequestId, signature: Signature) {
        let Some(request) = self.requests.get_mut(&id) else {
            return self.report("a signature was accepted that nobody asked for", || id.to_string());
        };
        request.used = Some(signature);
        let end = if request.is_durable {
            disk.record(id).and_then(|record| record.end.clone())
        } else {
            request.told.clone()
        };
        match end {
            Some(End::Signed { signature: taken, .. }) if taken == signature => {}
            Some(end) => self.report("a signature was accepted that was not used", || format!("{id}: {end:?}")),
            None => self.report("a signature was accepted that nobody has", || id.to_string()),
        }
        self.compare(id);
    }

    /// A wallet is told that nothing is known of what it has signed: of what was not to outlive a server, that is no word about its use.
    pub(super) fn unknown(&mut self, disk: &Disk, id: RequestId, signature: Signature) {
        if self.requests.get(&id).is_some_and(|request| request.is_durable) {
            self.unused(disk, id, signature);
        }
    }

    /// A wallet is told that its signature was not used.
    pub(super) fn unused(&mut self, disk: &Disk, id: RequestId, signature: Signature) {
        let on_disk = disk.record(id).and_then(|record| record.end.clone());
        let Some(request) = self.requests.get_mut(&id) else { return };
        request.unused.push(signature);
        let is_taken = matches!(on_disk, Some(End::Signed { signature: taken, .. }) if taken == signature);
        if is_taken && request.signed_on.len() < 2 {
            self.report("a signature was used and called unused", || id.to_string());
        }
        self.compare(id);
    }

    /// A wallet is told that a request was answered elsewhere, or else that it was withdrawn.
    pub(super) fn told_wallet(&mut self, disk: &Disk, device: DeviceId, id: RequestId, is_answered: bool) {
        let Some(request) = self.requests.get(&id) else { return };
        let end = if request.is_durable {
            disk.record(id).and_then(|record| record.end.as_ref())
        } else {
            request.told.as_ref()
        };
        let is_true = match end {
            Some(End::Signed { .. } | End::Rejected { .. }) => is_answered,
            Some(End::InvalidSignature | End::MessageMismatch | End::Cancelled | End::Draining) => !is_answered,
            Some(_) => false,
            // Whoever asked for it may have gone before they were told.
            None => !request.is_durable,
        };
        // It may have been this device that answered.
        let is_own = is_answered && self.prompts.is_sent(device, id);
        if !is_true && !is_own {
            let end = end.cloned();
            self.report("a wallet was told another end", || format!("{id} on device {device}: {end:?}"));
        }
    }

    /// Some time after its deadline a durable request has to have ended; answers whether it has.
    pub(super) fn has_ended(&self, disk: &Disk, id: RequestId) -> bool {
        disk.record(id).is_none_or(|record| record.end.is_some())
    }

    fn compare(&mut self, id: RequestId) {
        let Some(request) = self.requests.get(&id) else { return };
        let taken = match &request.told {
            Some(End::Signed { signature, .. }) => Some(*signature),
            Some(_) | None => None,
        };
        if request.told.is_some() && request.used.is_some() && request.used != taken {
            self.report("a signature was accepted that was not used", || id.to_string());
        } else if taken.is_some_and(|taken| request.unused.contains(&taken)) && request.signed_on.len() < 2 {
            self.report("a signature was used and called unused", || id.to_string());
        }
    }

    /// A backend is told that its requests are taken.
    pub(super) fn accepted(&mut self, disk: &Disk, key: Option<(&str, usize)>, ids: &[RequestId]) {
        for id in ids {
            match self.requests.get_mut(id) {
                Some(request) => request.is_accepted = true,
                None => self.report("requests were accepted that nobody asked for", || id.to_string()),
            }
            // The word of it may have been on its way.
            if disk.record(*id).is_none() && !self.is_forgotten(*id) {
                self.report("an accepted request is not on disk", || id.to_string());
            }
            self.check_place(disk, *id);
        }
        let Some((key, body)) = key.filter(|_| !ids.iter().any(|id| self.is_forgotten(*id))) else { return };
        let (first_body, first_ids) = self.keys.entry(key.into()).or_insert_with(|| (body, ids.to_vec()));
        if *first_body != body {
            self.report("an idempotency key was taken for two bodies", || key.into());
        } else if first_ids != ids {
            self.report("an idempotency key made a second request", || key.into());
        }
    }

    /// A backend is told that its key was used for something else.
    pub(super) fn refused_as_reused(&mut self, disk: &Disk, key: &str, requester: &str, fingerprint: [u8; 32]) {
        let is_wrong = disk.of_key(requester, key).is_none_or(|(taken, _)| *taken == fingerprint);
        if is_wrong && !self.freed.contains(key) {
            self.report("an idempotency key was refused that was not used", || key.into());
        }
    }

    /// A server starts with what is on disk.
    pub(super) fn started(&mut self, disk: &Disk) {
        let mut broken = None;
        for (id, request) in &self.requests {
            let kept = disk.record(*id);
            if request.is_accepted && kept.is_none() && !request.is_forgotten {
                broken = broken.or(Some(("an accepted request was forgotten", *id)));
            }
            if !request.is_durable {
                continue;
            }
            let end = kept.and_then(|record| record.end.as_ref());
            if request.told.is_some() && request.told.as_ref() != end {
                broken = broken.or(Some(("an end that was told was forgotten", *id)));
            }
            if let Some(used) = &request.used
                && !matches!(end, Some(End::Signed { signature, .. }) if signature == used)
            {
                broken = broken.or(Some(("an accepted signature was forgotten", *id)));
            }
        }
        if let Some((name, id)) = broken {
            self.report(name, || id.to_string());
        }
    }

    /// A backend was told of a failed store, and has no key to ask again with.
    pub(super) fn refused(&mut self, ids: &[RequestId], by: ServerId) {
        self.refused.extend(ids.iter().filter(|id| !self.taken_over.contains(id)).map(|id| (*id, by)));
    }

    /// Another server has them now, which knows nothing of what this one has said.
    pub(super) fn taken_over(&mut self, ids: &[RequestId]) {
        self.taken_over.extend(ids);
        self.refused.retain(|id, _| !ids.contains(id));
    }

    /// A server is gone, and what it has not written down with it.
    pub(super) fn forgets(&mut self, server: ServerId) {
        self.refused.retain(|_, by| *by != server);
    }

    /// One prompt is shown on a device, with all of `ids`.
    pub(super) fn shown(
        &mut self,
        disk: &Disk,
        device: DeviceId,
        ids: &[(RequestId, Witness)],
        batch_size: Option<u32>,
    ) {
        for (id, witness) in ids {
            if !self.requests.contains_key(id) {
                return self.report("a request was shown that nobody asked for", || format!("{id} on {device}"));
            }
            if self.refused.contains_key(id) {
                return self
                    .report("a request was shown that was said not to be taken", || format!("{id} on {device}"));
            }
            if let Some(name) = self.prompts.show(device, *id, *witness) {
                return self.report(name, || format!("{id} on device {device}: {witness:?}"));
            }
            self.check_place(disk, *id);
            let mut places = self.places_of(*id).filter(|later| self.is_in_step(*later));
            let later = places.find(|later| self.prompts.was_shown(device, *later));
            drop(places);
            if let Some(later) = later {
                return self.report("a request was shown after the one in its place", || {
                    format!("{id} after {later} on {device}")
                });
            }
        }
        let Some((first, witness)) = ids.first() else { return };
        let Some(request) = self.requests.get(first) else { return };
        let missing = request.batch.iter().find(|member| {
            let is_open = self.requests.get(member).is_some_and(|request| {
                !request.is_closing && request.expires_at > self.now && !disk.is_ending(**member)
            });
            is_open && !witness.clock_was_set && !self.prompts.was_shown(device, **member)
        });
        if let Some(missing) = missing {
            let missing = *missing;
            return self.report("a part of a batch was shown alone", || format!("{first} without {missing}"));
        }
        if batch_size.is_some_and(|size| ids.len() > size as usize)
            || ids.iter().any(|(id, _)| !request.batch.contains(id))
        {
            self.report("one prompt showed what does not belong together", || first.to_string());
        }
    }

    /// The wallet says that it was asked more at once than it may be.
    pub(super) fn asked_too_much(&mut self, device: DeviceId) {
        self.report("a wallet had to refuse what it was asked", || format!("device {device}"));
    }

    /// All is over.
    pub(super) fn finished(&mut self, disk: &Disk) {
        if let Some(id) = disk.contradiction {
            self.report("a request was given two ends", || id.to_string());
        }
        if let Some(open) = disk.records().find(|record| record.end.is_none()) {
            let id = open.id;
            self.report("a durable request never ended", || id.to_string());
        }
        for record in disk.records() {
            let Some(request) = self.requests.get(&record.id) else { continue };
            if record.end != request.told && request.told.is_some() {
                self.report("an end has changed", || record.id.to_string());
                return;
            }
        }
        self.started(disk);
    }
}

//! Packets to and from each other node: numbered, confirmed, and begun anew where one was lost.
//!
//! Nothing is kept to be sent again. Whoever finds that something is missing says so, or hears nothing for long, and then both sides make
//! good what they had to tell each other from what they know.

use super::{Mail, NodeId, Packet};
use crate::time::Timestamp;
use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    time::Duration,
};

/// How long a packet may go unconfirmed while there is none to confirm it with.
const CONFIRM_AFTER: Duration = Duration::from_millis(200);
/// How long after the last packet one asks whether it has come.
const ASK_AFTER: Duration = Duration::from_secs(1);
/// How long nothing may be confirmed before another epoch begins.
const GIVE_UP_AFTER: Duration = Duration::from_secs(5);

/// The way to one other node and back.
#[derive(Debug)]
struct Link {
    epoch: u32,
    /// Packets with mail that were sent in this epoch, and those that are known to have come.
    sent: u64,
    confirmed: u64,
    last_sent: Timestamp,
    /// Since when nothing has been confirmed, while something is to be.
    unconfirmed_since: Option<Timestamp>,
    /// The last packet that has come.
    heard: Option<(u32, u64)>,
    /// Since when that is to be confirmed.
    unanswered_since: Option<Timestamp>,
    /// The last of their epochs of which something is missing.
    broken: Option<u32>,
    /// The epoch is to be told although there is no mail.
    is_new: bool,
    outbox: Vec<Mail>,
}

/// What a packet has brought.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Received {
    /// In order.
    pub(crate) mail: Vec<Mail>,
    /// It is the first of an epoch: what came before may not have come whole.
    pub(crate) has_begun: bool,
    /// What was sent to them has not come whole: this side has begun an epoch.
    pub(crate) was_broken: bool,
}

/// The ways to all other nodes.
#[derive(Debug)]
pub(crate) struct Links {
    own: NodeId,
    links: BTreeMap<NodeId, Link>,
}

impl Links {
    pub(crate) fn new(own: NodeId) -> Self {
        Self { own, links: BTreeMap::new() }
    }

    pub(crate) fn own(&self) -> NodeId {
        self.own
    }

    pub(crate) fn others(&self) -> BTreeSet<NodeId> {
        self.links.keys().copied().collect()
    }

    pub(crate) fn has(&self, other: NodeId) -> bool {
        self.links.contains_key(&other)
    }

    /// Takes note of which other nodes there are, and gives those that are gone.
    pub(crate) fn keep(&mut self, others: &[NodeId], now: Timestamp) -> Vec<NodeId> {
        let gone: Vec<_> = self.links.keys().copied().filter(|node| !others.contains(node)).collect();
        for node in &gone {
            self.links.remove(node);
        }
        for node in others.iter().filter(|node| **node != self.own) {
            self.links.entry(*node).or_insert_with(|| Link::new(now));
        }
        gone
    }

    /// Begins another epoch with a node. What was not sent yet is dropped with what was.
    pub(crate) fn begin_anew(&mut self, other: NodeId, now: Timestamp) {
        if let Some(link) = self.links.get_mut(&other) {
            link.begin_anew(now);
        }
    }

    /// Takes it that packets of theirs are missing.
    pub(crate) fn distrust(&mut self, other: NodeId) {
        if let Some(link) = self.links.get_mut(&other)
            && let Some((epoch, _)) = link.heard
        {
            link.broken = Some(epoch);
            link.is_new = true;
        }
    }

    /// Leaves something for the next packet.
    pub(crate) fn post(&mut self, to: NodeId, mail: Mail) {
        if let Some(link) = self.links.get_mut(&to) {
            link.outbox.push(mail);
        }
    }

    /// Likewise, for everybody.
    pub(crate) fn post_to_all(&mut self, mail: &Mail) {
        for link in self.links.values_mut() {
            link.outbox.push(mail.clone());
        }
    }

    /// The packets that are to be sent now.
    pub(crate) fn flush(&mut self, now: Timestamp) -> Vec<Packet> {
        let mut packets = Vec::new();
        for (to, link) in &mut self.links {
            while link.is_new || !link.outbox.is_empty() {
                packets.push(link.packet(self.own, *to, now));
            }
        }
        packets
    }

    /// Takes a packet.
    pub(crate) fn receive(&mut self, packet: Packet, now: Timestamp) -> Received {
        let Packet { from, to, epoch, number, received, broken, mail } = packet;
        let Some(link) = self.links.get_mut(&from).filter(|_| to == self.own) else { return Received::default() };
        let mut outcome = Received::default();
        if broken == Some(link.epoch) {
            link.begin_anew(now);
            outcome.was_broken = true;
        }
        if let Some((epoch, number)) = received {
            link.confirm(epoch, number, now);
        }
        if number == 0 {
            return outcome;
        }
        if link.broken.is_some_and(|broken| epoch <= broken) {
            // Perhaps they have not heard of that.
            link.unanswered_since.get_or_insert(now);
            return outcome;
        }
        let (heard_epoch, heard) = link.heard.unwrap_or_default();
        outcome.has_begun = epoch > heard_epoch && number == 1 && mail.is_empty();
        // One without mail tells what the last number was.
        let is_next = epoch == heard_epoch && number == heard.saturating_add(1) && !mail.is_empty();
        let is_old = epoch < heard_epoch || (epoch == heard_epoch && number <= heard);
        if is_next || outcome.has_begun {
            link.heard = Some((epoch, number));
            link.unanswered_since.get_or_insert(now);
            outcome.mail = mail;
        } else if is_old {
            // Whoever asks whether it has come has not had the answer.
            link.unanswered_since.get_or_insert(now);
        } else {
            link.broken = Some(epoch);
            link.is_new = true;
        }
        outcome
    }

    /// When [`Links::handle_timeout`] is due.
    pub(crate) fn poll_timeout(&self) -> Option<Timestamp> {
        self.links.values().filter_map(Link::poll_timeout).min()
    }

    /// Asks and confirms where that is due; gives the packets, and the nodes with which another epoch has begun.
    pub(crate) fn handle_timeout(&mut self, now: Timestamp) -> (Vec<Packet>, Vec<NodeId>) {
        let (mut packets, mut broken) = (Vec::new(), Vec::new());
        for (node, link) in &mut self.links {
            if link.poll_timeout().is_none_or(|due| now < due) {
                continue;
            }
            if link.unconfirmed_since.is_some_and(|since| now >= since.after(GIVE_UP_AFTER)) {
                link.begin_anew(now);
                broken.push(*node);
            } else {
                packets.push(link.packet(self.own, *node, now));
            }
        }
        (packets, broken)
    }
}

impl Link {
    fn new(now: Timestamp) -> Self {
        Self {
            epoch: 1,
            sent: 0,
            confirmed: 0,
            last_sent: now,
            unconfirmed_since: None,
            heard: None,
            unanswered_since: None,
            broken: None,
            is_new: true,
            outbox: Vec::new(),
        }
    }

    fn begin_anew(&mut self, now: Timestamp) {
        let Self { epoch, heard, unanswered_since, broken, .. } = *self;
        *self = Self { epoch: epoch.saturating_add(1), heard, unanswered_since, broken, ..Self::new(now) };
    }

    /// A packet with whatever there is to say.
    fn packet(&mut self, from: NodeId, to: NodeId, now: Timestamp) -> Packet {
        // The first of an epoch brings no mail, so that it may be said again.
        let mail = if self.sent == 0 { Vec::new() } else { mem::take(&mut self.outbox) };
        let is_counted = !mail.is_empty() || self.sent == 0;
        self.sent += u64::from(is_counted);
        let asks = self.sent > self.confirmed && now >= self.last_sent.after(ASK_AFTER);
        if self.sent > self.confirmed {
            self.unconfirmed_since.get_or_insert(now);
        }
        self.last_sent = now;
        self.unanswered_since = None;
        self.is_new = false;
        Packet {
            from,
            to,
            epoch: self.epoch,
            number: if is_counted || asks { self.sent } else { 0 },
            received: self.heard,
            broken: self.broken.filter(|broken| self.heard.is_none_or(|(epoch, _)| epoch <= *broken)),
            mail,
        }
    }

    fn confirm(&mut self, epoch: u32, number: u64, now: Timestamp) {
        if epoch == self.epoch && number > self.confirmed && number <= self.sent {
            self.confirmed = number;
            self.unconfirmed_since = (self.confirmed < self.sent).then_some(now);
        }
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        let confirm = self.unanswered_since.map(|since| since.after(CONFIRM_AFTER));
        let ask = self.unconfirmed_since.map(|since| self.last_sent.after(ASK_AFTER).min(since.after(GIVE_UP_AFTER)));
        confirm.into_iter().chain(ask).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: NodeId = NodeId::from_bits(1);
    const TWO: NodeId = NodeId::from_bits(2);

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    /// Two nodes that know each other and have nothing left to say.
    fn pair() -> (Links, Links) {
        let (mut one, mut two) = (Links::new(ONE), Links::new(TWO));
        one.keep(&[TWO], at(0));
        two.keep(&[ONE], at(0));
        exchange(&mut one, &mut two, at(0));
        (one, two)
    }

    fn exchange(one: &mut Links, two: &mut Links, now: Timestamp) {
        for packet in one.flush(now) {
            two.receive(packet, now);
        }
        for packet in two.flush(now) {
            one.receive(packet, now);
        }
    }

    fn send(from: &mut Links, to: NodeId, mail: Mail, now: Timestamp) -> Packet {
        from.post(to, mail);
        from.flush(now).pop().unwrap()
    }

    #[test]
    fn mail_comes_once_and_in_order() {
        let (mut one, mut two) = pair();
        let first = send(&mut one, TWO, Mail::Orphans, at(1));
        let second = send(&mut one, TWO, Mail::Complete, at(1));
        assert_eq!(two.receive(first.clone(), at(2)).mail, [Mail::Orphans]);
        assert_eq!(two.receive(first, at(2)), Received::default(), "twice");
        assert_eq!(two.receive(second, at(2)).mail, [Mail::Complete]);
    }

    #[test]
    fn a_first_packet_says_that_an_epoch_has_begun() {
        let (mut one, mut two) = (Links::new(ONE), Links::new(TWO));
        one.keep(&[TWO], at(0));
        two.keep(&[ONE], at(0));
        let hello = one.flush(at(0)).pop().unwrap();
        assert!(two.receive(hello.clone(), at(0)).has_begun);
        assert_eq!(two.receive(hello, at(0)), Received::default(), "once");
        one.begin_anew(TWO, at(1));
        one.post(TWO, Mail::Complete);
        let [hello, packet] = one.flush(at(1)).try_into().unwrap();
        assert!(two.receive(hello, at(1)).has_begun);
        assert_eq!(two.receive(packet, at(1)).mail, [Mail::Complete]);
    }

    #[test]
    fn what_is_missing_begins_another_epoch() {
        let (mut one, mut two) = pair();
        let _lost = send(&mut one, TWO, Mail::Orphans, at(1));
        let next = send(&mut one, TWO, Mail::Complete, at(1));
        assert_eq!(two.receive(next.clone(), at(1)), Received::default());
        let complaint = two.flush(at(1)).pop().unwrap();
        assert_eq!(complaint.broken, Some(next.epoch));
        assert!(one.receive(complaint.clone(), at(2)).was_broken);
        assert!(!one.receive(complaint, at(2)).was_broken, "once");
        let anew = one.flush(at(2)).pop().unwrap();
        assert!(two.receive(anew, at(2)).has_begun);
    }

    #[test]
    fn a_last_packet_that_is_lost_is_found_missing() {
        let (mut one, mut two) = pair();
        let _lost = send(&mut one, TWO, Mail::Orphans, at(10));
        let due = one.poll_timeout().unwrap();
        assert_eq!(due, at(1_010));
        let (packets, _) = one.handle_timeout(due);
        let question = packets.into_iter().next().unwrap();
        assert!(question.mail.is_empty());
        two.receive(question, due);
        let complaint = two.flush(due).pop().unwrap();
        assert!(one.receive(complaint, due).was_broken);
    }

    #[test]
    fn what_has_come_is_confirmed_and_then_nothing_is_due() {
        let (mut one, mut two) = pair();
        let packet = send(&mut one, TWO, Mail::Orphans, at(10));
        two.receive(packet, at(20));
        let due = two.poll_timeout().unwrap();
        let (packets, broken) = two.handle_timeout(due);
        assert!(broken.is_empty());
        for packet in packets {
            assert_eq!(one.receive(packet, due), Received::default());
        }
        assert_eq!((one.poll_timeout(), two.poll_timeout()), (None, None));
    }

    #[test]
    fn who_hears_nothing_begins_anew() {
        let (mut one, _) = pair();
        let _ = send(&mut one, TWO, Mail::Orphans, at(10));
        let broken = loop {
            let now = one.poll_timeout().unwrap();
            let (_, broken) = one.handle_timeout(now);
            if !broken.is_empty() {
                break (broken, now);
            }
        };
        assert_eq!(broken, (vec![TWO], at(5_010)));
    }

    #[test]
    fn what_may_have_been_lost_is_asked_for_again() {
        let (mut one, mut two) = pair();
        two.distrust(ONE);
        let complaint = two.flush(at(1)).pop().unwrap();
        assert!(one.receive(complaint, at(1)).was_broken);
        let anew = one.flush(at(1)).pop().unwrap();
        assert!(two.receive(anew, at(1)).has_begun);
    }
}

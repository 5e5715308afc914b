//! Everything a run has found.

use crate::{
    machine,
    peer::Peer,
    sample::{Sample, median, ratio},
    scenario::{crowd::Crowd, durable::Durable, introductions::Introductions, long::Long, memory::Memory},
};
use std::collections::BTreeMap;

/// What was measured, as far as it was.
pub(crate) struct Results {
    rounds: BTreeMap<Peer, Vec<Sample>>,
    pub(crate) memory: Option<Memory>,
    pub(crate) crowds: Vec<Crowd>,
    pub(crate) introductions: Option<Introductions>,
    pub(crate) durable: Option<Durable>,
    pub(crate) paced: Option<Sample>,
    pub(crate) long: Option<Long>,
    /// Whether the load never slept.
    pub(crate) awake: bool,
    /// How busy the machine was at the start and at the end.
    pub(crate) load_averages: [String; 2],
}

impl Results {
    pub(crate) fn new(awake: bool) -> Self {
        Self {
            rounds: BTreeMap::new(),
            memory: None,
            crowds: Vec::new(),
            introductions: None,
            durable: None,
            paced: None,
            long: None,
            awake,
            load_averages: [machine::load_average(), String::new()],
        }
    }

    pub(crate) fn end(&mut self) {
        self.load_averages[1] = machine::load_average();
    }

    pub(crate) fn add(&mut self, peer: Peer, sample: Sample) {
        self.rounds.entry(peer).or_default().push(sample);
    }

    /// The peers that were measured, with their rounds.
    pub(crate) fn peers(&self) -> impl Iterator<Item = (Peer, &[Sample])> {
        self.rounds.iter().map(|(peer, rounds)| (*peer, rounds.as_slice()))
    }

    fn rounds(&self, peer: Peer) -> &[Sample] {
        self.rounds.get(&peer).map_or(&[], Vec::as_slice)
    }

    /// The processor time per verified signature of each round, in microseconds. A NATS server verifies nothing, so the same
    /// round's verification is added to its own.
    fn costs(&self, peer: Peer) -> Vec<f64> {
        let own = self.rounds(peer).iter().map(Sample::cpu_micros);
        match peer {
            Peer::Nats => own.zip(self.costs(Peer::Verify)).map(|(own, verification)| own + verification).collect(),
            Peer::Countersign
            | Peer::Baseline
            | Peer::ActixPlan
            | Peer::NodeWs
            | Peer::SocketIo
            | Peer::InProcess
            | Peer::Verify
            | Peer::VerifyHere
            | Peer::Verdict => own.collect(),
        }
    }

    /// The median of that.
    pub(crate) fn cost(&self, peer: Peer) -> Option<f64> {
        median(self.costs(peer))
    }

    /// What one costs against what the other costs.
    pub(crate) fn against(&self, ours: Peer, theirs: Peer) -> Option<f64> {
        ratio(&self.costs(ours), &self.costs(theirs))
    }

    /// What a signature costs with many wallets against what it costs with few.
    pub(crate) fn crowding(&self, many: impl Fn(&Crowd) -> &Sample) -> Option<f64> {
        median(self.crowds.iter().map(|crowd| many(crowd).cpu_micros() / crowd.few.cpu_micros()))
    }

    /// What went wrong, wherever.
    pub(crate) fn errors(&self) -> impl Iterator<Item = &String> {
        let crowds = self.crowds.iter().flat_map(Crowd::samples);
        let durable = self.durable.iter().flat_map(|durable| [&durable.one, &durable.many]);
        let long = self.long.iter().flat_map(Long::samples);
        let alone = crowds.chain(durable).chain(&self.paced).chain(long);
        self.rounds.values().flatten().chain(alone).flat_map(|sample| &sample.errors)
    }
}

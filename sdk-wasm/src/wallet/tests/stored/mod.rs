//! What outlives the page or process: when it is written down, and what a wallet makes of it afterwards.

mod closing;
mod reloading;
mod writing;

use super::*;

impl Bench {
    fn keeping() -> Self {
        let mut bench = Self::of(wallet(true));
        bench.connect();
        bench
    }

    fn connect(&mut self) {
        self.wallet.connect(self.now);
        self.welcome();
        self.clear();
    }

    /// Carries out one change to the store, if there is one.
    fn store_one(&mut self) -> bool {
        self.collect();
        let Some(StoreTask { id, action }) = self.stores.pop_front() else { return false };
        match action {
            StoreAction::Keep(record) => drop(self.kept.insert(record.request_id, record)),
            StoreAction::Forget(request) => drop(self.kept.remove(&request)),
        }
        self.wallet.handle_stored(self.now, id, Ok(()));
        self.collect();
        true
    }

    fn store(&mut self) {
        while self.store_one() {}
    }

    fn fail_to_store(&mut self) {
        self.collect();
        for task in std::mem::take(&mut self.stores) {
            self.wallet.handle_stored(self.now, task.id, Err(Error::Storage("the disk is full".into())));
        }
        self.collect();
    }

    /// A new life with what the store has, not connected yet. What was not carried out is lost.
    fn after_crash(&self) -> Self {
        let kept = self.kept.clone();
        let mut bench = Self { now: self.now, kept, ..Self::of(wallet(true)) };
        bench.restore(bench.kept.values().cloned().collect());
        bench
    }

    /// Takes in records as the TypeScript side does, the one that ends last at the end.
    fn restore(&mut self, mut records: Vec<Record>) {
        records.sort_by_key(|record| record.deadline);
        for record in records {
            self.wallet.restore(self.now, record);
        }
    }

    fn reloaded(&self) -> Self {
        let mut bench = self.after_crash();
        bench.wallet.connect(bench.now);
        bench.welcome();
        bench
            .transmits
            .retain(|transmit| !matches!(transmit, Transmit::Dial(_) | Transmit::Frame(ClientFrame::Introduction(_))));
        bench
    }

    fn stage(&self, n: u16) -> Option<&Stage> {
        self.kept.get(&id(n)).map(|record| &record.stage)
    }

    fn answer(&self) -> Answer {
        let signature = Signable::Message(&message()).sign(&self.key);
        Answer::Signed { signature, approved_by: ApprovedBy::Human }
    }
}

fn resumed(n: u16) -> Event {
    let request = SignRequest { attempt: 2, expires_in_ms: 30_000, ..request(n) };
    Event::Requests(vec![Prompt { request, resumed: true }])
}

fn is_answer(frame: &ClientFrame) -> bool {
    matches!(frame, ClientFrame::SignResponse(_) | ClientFrame::SignReject(_))
}

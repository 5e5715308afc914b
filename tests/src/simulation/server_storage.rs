//! What keeps a server's requests: a disk of its own, or a database that it shares with others.

use super::{
    coverage::Seen,
    environment::Environment,
    events::{Event, ServerLife, Stop},
    storage::Store,
    worker::Worker,
};
use std::sync::Arc;

/// What keeps the requests of one life of a server.
pub(super) enum ServerStorage {
    Disk(Drive),
    Database(Box<Worker>),
}

/// A disk, and whether it is about to sync.
pub(super) struct Drive {
    pub(super) store: Arc<Store>,
    is_syncing: bool,
}

impl ServerStorage {
    pub(super) fn disk(store: Arc<Store>) -> Self {
        Self::Disk(Drive { store, is_syncing: false })
    }

    /// Has done what was asked since.
    pub(super) fn arm(&mut self, environment: &mut Environment, life: ServerLife) {
        match self {
            Self::Disk(drive) => drive.arm(environment, life),
            Self::Database(worker) => worker.arm(environment),
        }
    }

    /// Answers at once what was looked up.
    pub(super) fn answer_reads(&self, environment: &Environment) {
        match self {
            // It has.
            Self::Disk(_) => {}
            Self::Database(worker) => worker.answer_reads(environment),
        }
    }

    /// The process drains to its end: it has all the time it needs.
    pub(super) fn finish(&mut self, environment: &mut Environment) {
        match self {
            Self::Disk(drive) => drive.store.sync(usize::MAX).tell(),
            Self::Database(worker) => worker.finish(environment),
        }
    }

    /// The process dies: `survive` of the writes are kept, and nobody is told of any.
    pub(super) fn die(&mut self, environment: &mut Environment, survive: usize) {
        let lost = match self {
            Self::Disk(drive) => {
                let waiting = drive.store.waiting().is_some();
                let lost = drive.store.die(survive);
                if waiting && lost == 0 {
                    environment.see(Seen::CrashBetweenSyncAndTelling);
                }
                lost
            }
            Self::Database(worker) => worker.die(environment, survive),
        };
        if lost > 0 {
            environment.see(Seen::CrashLosingWrites);
            environment.note(("lost", lost), || format!("{lost} writes are lost"));
        }
    }

    /// Nothing is kept any more.
    pub(super) fn close(&self) {
        match self {
            Self::Disk(drive) => drop(drive.store.die(0)),
            Self::Database(worker) => worker.close(),
        }
    }
}

impl Drive {
    fn arm(&mut self, environment: &mut Environment, life: ServerLife) {
        let Some(submitted) = self.store.waiting().filter(|_| !self.is_syncing) else { return };
        self.is_syncing = true;
        environment.note(("write", submitted), || format!("disk: a sync begins after {submitted} writes"));
        let wait = if environment.mishap(8) { environment.between(200, 3_000) } else { environment.between(1, 30) };
        environment.after(wait, Event::Sync(life));
        // What is written and not synced is what a crash is about.
        if environment.mishap(1) && environment.chance(60) {
            let wait = environment.between(0, 2 * wait);
            environment.after(wait, Event::ServerStops(life.server, Stop::Crash));
        }
    }

    /// What was submitted is on disk now, or has failed to get there.
    pub(super) fn sync(&mut self, environment: &mut Environment) {
        self.is_syncing = false;
        let most = if environment.mishap(20) { environment.rng.usize(1..4) } else { usize::MAX };
        let synced = self.store.sync(most);
        if synced.kept {
            environment.see(Seen::EndWaitedForRoom);
        }
        if synced.overruled {
            environment.see(Seen::EndOverruled);
        }
        synced.tell();
    }
}

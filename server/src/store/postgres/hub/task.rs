//! The task that has the hub's connection.

use super::{
    super::{
        connector::Connector,
        error::{ConnectError, DbError},
    },
    envelope::pack,
    inbox::Inbox,
    lease::{self, Lease, Renewed},
    link::Link,
    orders::{Moment, OrderReceiver},
    presence::{self, Found},
    waiting::{Turn, Waiting},
};
use crate::cluster::{NodeId, Nodes};
use std::{
    mem,
    ops::ControlFlow,
    pin::pin,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};
use tokio::time::{sleep, sleep_until, timeout};

/// How long whoever waits is kept waiting while the database does not answer, or is looked for.
const PATIENCE: Duration = Duration::from_secs(2);
/// A connection that has not answered for so long is replaced.
const SILENCE: Duration = Duration::from_secs(5);
/// How long after one turn the next one comes. What a packet costs the database is nearly all in the notification that carries it, and a human does
/// not notice five milliseconds.
const BETWEEN_TURNS: Duration = Duration::from_millis(5);
/// How soon after a failure, and then how often at first and at last, another connection is tried.
const FIRST_RECONNECT: Duration = Duration::from_millis(50);
const LAST_RECONNECT: Duration = Duration::from_secs(2);

/// What the task works with.
pub(in crate::store::postgres) struct HubTask {
    connector: Arc<Connector>,
    received: OrderReceiver,
    waiting: Waiting,
    lease: Lease,
    inbox: Inbox,
    /// What the listener was told last: its own name, and all others.
    told: Option<(NodeId, Vec<NodeId>)>,
    /// What it is to be told with the next.
    interrupted: bool,
    forgotten: bool,
}

impl HubTask {
    pub(in crate::store::postgres) fn new(connector: Arc<Connector>, received: OrderReceiver) -> Self {
        let (own, tokens) = (Arc::clone(connector.own()), Arc::clone(&received.tokens));
        Self {
            connector,
            received,
            waiting: Waiting::default(),
            lease: Lease::new(Arc::clone(&own)),
            inbox: Inbox { own, listener: Arc::new(OnceLock::new()), strangers: Arc::default(), tokens },
            told: None,
            interrupted: false,
            forgotten: false,
        }
    }

    /// Runs until nobody can want anything any more.
    pub(in crate::store::postgres) async fn run(mut self) {
        while let ControlFlow::Continue(mut link) = self.connect().await {
            match self.serve(&mut link).await {
                ControlFlow::Break(()) => return,
                ControlFlow::Continue(error) => {
                    tracing::warn!(%error, "the connection between servers is lost; another one is being made");
                }
            }
            self.received.note_disconnected();
            self.interrupted = true;
        }
    }

    /// Makes a connection, as often as it takes.
    async fn connect(&mut self) -> ControlFlow<(), Link> {
        let until = Instant::now() + PATIENCE;
        let (mut pause, mut said) = (Duration::ZERO, String::new());
        loop {
            let (connector, inbox, lease) = (&self.connector, &self.inbox, &mut self.lease);
            let connecting = async {
                sleep(pause).await;
                let link = Link::connect(connector, inbox, SILENCE).await?;
                let forgotten = timeout(SILENCE, lease.resume(&link)).await.map_err(|_| DbError::Late)??;
                Ok::<_, ConnectError>((link, forgotten))
            };
            match meanwhile(&mut self.waiting, &mut self.received, until, connecting).await? {
                Ok((link, forgotten)) => {
                    // The first time there was nothing that could be.
                    if forgotten && self.interrupted {
                        self.forget();
                    }
                    return ControlFlow::Continue(link);
                }
                Err(error) => {
                    // Said once for as long as it is the same.
                    if mem::replace(&mut said, error.to_string()) != said {
                        tracing::warn!(%error, "no connection between servers");
                    }
                }
            }
            pause = (2 * pause).clamp(FIRST_RECONNECT, LAST_RECONNECT);
        }
    }

    /// Does what comes, for as long as the connection lasts; why it does not.
    async fn serve(&mut self, link: &mut Link) -> ControlFlow<(), DbError> {
        let mut renew_at = Instant::now();
        let mut next_turn = renew_at;
        loop {
            if renew_at <= Instant::now() || self.waiting.listener.is_some() {
                renew_at = Instant::now() + lease::EVERY;
                if let Err(error) = self.renew(link).await? {
                    return ControlFlow::Continue(error);
                }
            }
            if let Some(turn) = self.waiting.take(&self.received) {
                next_turn = Instant::now() + BETWEEN_TURNS;
                if let Err(error) = self.work(link, turn).await? {
                    return ControlFlow::Continue(error);
                }
            } else {
                tokio::select! {
                    order = self.received.next() => match order {
                        Some(order) => self.waiting.push(order),
                        None => return ControlFlow::Break(()),
                    },
                    () = sleep_until(renew_at.into()) => {}
                    () = self.inbox.strangers.have_written.notified() => renew_at = Instant::now(),
                    () = link.closed() => return ControlFlow::Continue(DbError::Closed),
                }
            }
            let until = next_turn + PATIENCE;
            meanwhile(&mut self.waiting, &mut self.received, until, sleep_until(next_turn.into())).await?;
            while let Some(order) = self.received.waiting() {
                self.waiting.push(order);
            }
        }
    }

    async fn renew(&mut self, link: &Link) -> ControlFlow<(), Result<(), DbError>> {
        let began = Moment::now();
        let until = Instant::now() + PATIENCE;
        let renewing = timeout(SILENCE, self.lease.renew(link));
        match meanwhile(&mut self.waiting, &mut self.received, until, renewing).await? {
            Ok(Ok(Renewed { others, is_renamed })) => {
                if is_renamed {
                    self.interrupted = true;
                    self.forget();
                }
                self.tell(others);
                // Not before the service knows as whom.
                self.received.note_renewed(began);
                if let Some(listener) = self.inbox.listener.get() {
                    listener.renewed();
                }
                ControlFlow::Continue(Ok(()))
            }
            Ok(Err(error)) => ControlFlow::Continue(Err(error.into())),
            Err(_) => ControlFlow::Continue(Err(DbError::Late)),
        }
    }

    /// Does what has queued up, all on one journey there and back.
    async fn work(&mut self, link: &Link, turn: Turn) -> ControlFlow<(), Result<(), DbError>> {
        let until = Instant::now() + PATIENCE;
        let own = self.lease.own();
        let working = timeout(SILENCE, async {
            let payloads = pack(&turn.packets);
            let (sent, changed, found) = tokio::join!(
                biased;
                link.notify(&payloads),
                presence::change(link, own, &turn.changes),
                presence::find(link, own, &turn.keys)
            );
            changed?;
            // Where the database has no room for notifications there may be later.
            let is_lost = match sent {
                Err(error) if error.code().is_some() => {
                    tracing::warn!(error = %DbError::from(error), "packets to other servers are lost");
                    true
                }
                sent => {
                    sent?;
                    false
                }
            };
            Ok::<(Found, bool), DbError>((found?, is_lost))
        });
        let worked = meanwhile(&mut self.waiting, &mut self.received, until, working).await;
        match worked? {
            Ok(Ok((found, is_lost))) => {
                self.interrupted |= is_lost;
                self.waiting.done(&turn, &found);
                ControlFlow::Continue(Ok(()))
            }
            failed => {
                self.waiting.lost(turn);
                ControlFlow::Continue(Err(failed.unwrap_or(Err(DbError::Late)).err().unwrap_or(DbError::Late)))
            }
        }
    }

    /// Nothing of what this node has announced is known any more.
    fn forget(&mut self) {
        self.forgotten = true;
        self.waiting.forget_placed();
    }

    /// Tells the listener who is there, if that is news.
    fn tell(&mut self, others: Vec<NodeId>) {
        if let Some(listener) = self.waiting.listener.take() {
            // Whoever comes second is not heard: there is one service.
            let _ = self.inbox.listener.set(listener);
        }
        let Some(listener) = self.inbox.listener.get() else { return };
        let known = (self.lease.own(), others);
        if self.told.as_ref() == Some(&known) && !self.interrupted && !self.forgotten {
            return;
        }
        let (own, others) = known.clone();
        self.told = Some(known);
        let packets = self.inbox.strangers.meet(&others);
        let (interrupted, forgotten) = (mem::take(&mut self.interrupted), mem::take(&mut self.forgotten));
        listener.nodes(Nodes { own, others, interrupted, forgotten });
        if !packets.is_empty() {
            listener.packets(packets);
        }
    }
}

/// Waits for something while orders queue up; whoever waits for these is told at `until` that it has failed, and from then on at once. Breaks
/// off where nobody is left to order anything.
async fn meanwhile<T>(
    waiting: &mut Waiting,
    received: &mut OrderReceiver,
    until: Instant,
    wanted: impl Future<Output = T>,
) -> ControlFlow<(), T> {
    let mut wanted = pin!(wanted);
    let mut is_late = false;
    loop {
        tokio::select! {
            biased;
            result = &mut wanted => return ControlFlow::Continue(result),
            () = sleep_until(until.into()), if !is_late => {
                is_late = true;
                waiting.fail(received);
            }
            order = received.next() => match order {
                None => return ControlFlow::Break(()),
                Some(order) => {
                    waiting.push(order);
                    if is_late {
                        waiting.fail(received);
                    }
                }
            }
        }
    }
}

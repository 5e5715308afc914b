//! Requesters, and what they measure together.

use crate::{Fallible, fixture::Wallet, machine, process::Server, sample::Sample};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout},
};

/// How long the last answers may take after the end.
const GRACE: Duration = Duration::from_secs(10);

/// One who asks for signatures, one after the other.
pub(crate) trait Requester: Send + 'static {
    /// Asks, waits, and compares the signature.
    fn ask(&mut self, ask: &Ask) -> impl Future<Output = Fallible<()>> + Send;
}

/// A request made ready to be sent, and the signature it has to bring.
pub(crate) struct Ask {
    /// The wallet that is asked.
    pub(crate) wallet: Arc<Wallet>,
    pub(crate) request: Vec<u8>,
    pub(crate) signature: String,
}

/// Every request there is: all the wallets' first papers, then all the second ones, and so on.
pub(crate) struct Asks {
    wallets: usize,
    asks: Vec<Ask>,
}

/// When requesters ask.
#[derive(Clone, Copy)]
pub(crate) enum Schedule {
    /// Each as soon as it has its last answer.
    Closed,
    /// All of them together so many times a second, whether or not the last answer is there; what is late counts from when
    /// it was due.
    Paced(f64),
}

/// How long to measure.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) schedule: Schedule,
    pub(crate) warm_up: Duration,
    pub(crate) measure: Duration,
}

/// What requesters are told, and tell.
#[derive(Default)]
struct Window {
    measuring: AtomicBool,
    over: AtomicBool,
    signed: AtomicU64,
}

/// What one requester found.
#[derive(Default)]
struct Tally {
    micros: Vec<u32>,
    asked: u64,
    errors: Vec<String>,
}

impl Asks {
    pub(crate) fn new(wallets: &[Arc<Wallet>], request: impl Fn(&Wallet, &str) -> Vec<u8>) -> Arc<Self> {
        let papers = wallets.first().map_or(0, |wallet| wallet.papers.len());
        let of_paper = |n: usize| wallets.iter().filter_map(move |wallet| Some((wallet, wallet.papers.get(n)?)));
        let asks = (0..papers).flat_map(of_paper).map(|(wallet, paper)| Ask {
            wallet: Arc::clone(wallet),
            request: request(wallet, &paper.message),
            signature: paper.signature.clone(),
        });
        Arc::new(Self { wallets: wallets.len(), asks: asks.collect() })
    }

    /// Every requester goes through all the wallets and all their papers, each in an order of its own.
    fn pick(&self, requester: usize, round: usize) -> Option<&Ask> {
        let wallet = (round * 7 + requester * 17) % self.wallets;
        let paper = round / self.wallets * self.wallets;
        self.asks.get((paper + wallet) % self.asks.len())
    }
}

/// Has all the requesters ask, and measures the server meanwhile.
pub(crate) async fn run<R: Requester>(
    server: &Server,
    requesters: Vec<R>,
    asks: &Arc<Asks>,
    plan: Plan,
) -> Fallible<Sample> {
    let window = Arc::new(Window::default());
    let count = requesters.len();
    let mut asking = JoinSet::new();
    for (n, requester) in requesters.into_iter().enumerate() {
        let (asks, window) = (Arc::clone(asks), Arc::clone(&window));
        let every = match plan.schedule {
            Schedule::Closed => None,
            Schedule::Paced(per_second) => Some(Duration::from_secs_f64(count as f64 / per_second)),
        };
        let start = Instant::now() + every.unwrap_or_default().mul_f64(n as f64 / count as f64);
        asking.spawn(ask_all(requester, n, asks, window, Clock { every, due: start }));
    }

    sleep(plan.warm_up).await;
    let before = Reading::take(server, &window)?;
    window.measuring.store(true, Relaxed);
    sleep(plan.measure).await;
    window.measuring.store(false, Relaxed);
    let after = Reading::take(server, &window)?;
    window.over.store(true, Relaxed);

    let mut sample = Sample {
        signatures: after.signed - before.signed,
        cpu: after.cpu.saturating_sub(before.cpu),
        load_cpu: after.load_cpu.saturating_sub(before.load_cpu),
        wall: after.at - before.at,
        ..Sample::default()
    };
    let collected = timeout(GRACE, async {
        while let Some(tally) = asking.join_next().await {
            let tally = tally?;
            sample.asked += tally.asked;
            sample.micros.extend(tally.micros);
            sample.errors.extend(tally.errors);
        }
        Fallible::Ok(())
    })
    .await;
    match collected {
        Ok(collected) => collected?,
        Err(_) => sample.errors.extend((0..asking.len()).map(|_| "never answered".into())),
    }
    sample.micros.sort_unstable();
    Ok(sample)
}

/// When one requester's next request is due.
struct Clock {
    every: Option<Duration>,
    due: Instant,
}

impl Clock {
    /// Waits until the next request is due, and says when that was.
    async fn tick(&mut self) -> Instant {
        let Some(every) = self.every else { return Instant::now() };
        let due = self.due;
        self.due += every;
        if due > Instant::now() {
            sleep_until(due).await;
        }
        due
    }
}

async fn ask_all<R: Requester>(
    mut requester: R,
    n: usize,
    asks: Arc<Asks>,
    window: Arc<Window>,
    mut clock: Clock,
) -> Tally {
    let mut tally = Tally::default();
    for round in 0.. {
        let due = clock.tick().await;
        if window.over.load(Relaxed) {
            break;
        }
        let Some(ask) = asks.pick(n, round) else { break };
        tally.asked += 1;
        if let Err(error) = requester.ask(ask).await {
            // After an error nothing is known of the connection. One is too many anyway.
            tally.errors.push(error.to_string());
            break;
        }
        window.signed.fetch_add(1, Relaxed);
        if window.measuring.load(Relaxed) {
            tally.micros.push(u32::try_from(due.elapsed().as_micros()).unwrap_or(u32::MAX));
        }
    }
    tally
}

/// The counters at one moment.
struct Reading {
    signed: u64,
    cpu: Duration,
    load_cpu: Duration,
    at: Instant,
}

impl Reading {
    fn take(server: &Server, window: &Window) -> Fallible<Self> {
        Ok(Self {
            signed: window.signed.load(Relaxed),
            cpu: server.cpu()?,
            load_cpu: machine::cpu(std::process::id())?,
            at: Instant::now(),
        })
    }
}

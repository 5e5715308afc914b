//! The service as a library: no HTTP, no sockets, everything on one thread.
//!
//! The wallets are [`Scripted`]: whatever is sent to one, its answer is there at once, with the signature that was made
//! beforehand. Nothing is signed here. What a wallet still costs, finding two fields and one copy, is not taken off: it is
//! under a microsecond, and it counts against us.

use super::Reading;
use crate::{
    Fallible,
    fixture::{self, Wallet},
    load::{Dialect, Heard},
    peer::BACKENDS,
    sample::Sample,
};
use countersign_protocol::{Origin, PublicKey};
use countersign_server::{
    Config, SigningService,
    connection::{Incoming, Outgoing, drive},
};
use futures_util::{Sink, Stream};
use std::{
    cell::Cell,
    collections::VecDeque,
    num::NonZeroU32,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};
use tokio::{
    task::{JoinSet, LocalSet, yield_now},
    time::{sleep, timeout},
};

const AUDIENCE: &str = "ws://localhost:8080/ws";

/// How long the wallets may take to be introduced.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) async fn run(warm_up: Duration, measure: Duration) -> Fallible<Sample> {
    LocalSet::new().run_until(signing(warm_up, measure)).await
}

async fn signing(warm_up: Duration, measure: Duration) -> Fallible<Sample> {
    let mut config = Config::new(vec![AUDIENCE.parse()?]);
    config.frames_per_second = NonZeroU32::new(1_000_000);
    let service = SigningService::new(config);
    let wallets = fixture::wallets(100, 16);
    let mut serving = JoinSet::new();
    for wallet in &wallets {
        let (service, socket) = (service.clone(), Scripted::new(Arc::clone(wallet))?);
        serving.spawn_local(async move { drive(&service, socket, Origin::default()).await });
    }
    let connected = async {
        while wallets.iter().any(|wallet| service.connections_of(&wallet.public_key) == 0) {
            yield_now().await;
        }
    };
    timeout(PATIENCE, connected).await.map_err(|_| "the wallets were not introduced in time")?;

    let signed = Rc::new(Cell::new(0));
    let admitted = |wallet: Arc<Wallet>| Fallible::Ok((PublicKey::admit(wallet.public_key)?, wallet));
    let wallets = wallets.into_iter().map(admitted).collect::<Fallible<Rc<[_]>>>()?;
    let mut asking = JoinSet::new();
    for n in 0..BACKENDS {
        asking.spawn_local(ask_all(service.clone(), n, Rc::clone(&wallets), Rc::clone(&signed)));
    }
    let measured = async {
        sleep(warm_up).await;
        let before = Reading::take(signed.get())?;
        sleep(measure).await;
        before.until(signed.get())
    };
    tokio::select! {
        sample = measured => sample,
        // They ask for ever, so whichever ends has failed.
        Some(ended) = asking.join_next() => Err(ended?.err().unwrap_or_else(|| "a backend ended".into())),
    }
}

type Signer = (PublicKey, Arc<Wallet>);

async fn ask_all(service: SigningService, n: usize, wallets: Rc<[Signer]>, signed: Rc<Cell<u64>>) -> Fallible<()> {
    for round in 0.. {
        let (key, wallet) = &wallets[(round * 7 + n * 17) % wallets.len()];
        let paper = &wallet.papers[round / wallets.len() % wallet.papers.len()];
        let answer = service.send_to_sign(key, &paper.bytes).await?;
        if *answer.signature.as_bytes() != paper.signature_bytes {
            return Err("not the signature".into());
        }
        signed.set(signed.get() + 1);
    }
    Ok(())
}

/// A wallet that is its own socket.
struct Scripted {
    wallet: Arc<Wallet>,
    dialect: Dialect,
    answers: VecDeque<String>,
    reader: Option<Waker>,
}

impl Scripted {
    fn new(wallet: Arc<Wallet>) -> Fallible<Self> {
        let dialect = Dialect::Countersign(AUDIENCE.parse()?);
        Ok(Self { wallet, dialect, answers: VecDeque::new(), reader: None })
    }
}

impl Stream for Scripted {
    type Item = Fallible<Incoming<String>>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.answers.pop_front() {
            Some(text) => Poll::Ready(Some(Ok(Incoming::Text(text)))),
            None => {
                self.reader = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Sink<Outgoing> for Scripted {
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Fallible<()>> {
        Poll::Ready(Ok(()))
    }

    fn start_send(mut self: Pin<&mut Self>, outgoing: Outgoing) -> Fallible<()> {
        let text = match outgoing {
            Outgoing::Text(text) => text,
            Outgoing::Ping => return Ok(()),
            Outgoing::Close { reason, .. } => return Err(reason.into()),
        };
        let mut reply = String::with_capacity(text.len() + 128);
        // Whether it is welcome shows in the service.
        let (Heard::Welcome | Heard::Introduced | Heard::Handled) =
            self.dialect.hear(&self.wallet, &text, &mut reply)?;
        if !reply.is_empty() {
            self.answers.push_back(reply);
            if let Some(reader) = self.reader.take() {
                reader.wake();
            }
        }
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Fallible<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Fallible<()>> {
        Poll::Ready(Ok(()))
    }
}

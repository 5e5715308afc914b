//! Opening a store: the connection, the tables, what is in them; and the thread that goes on with it.

use super::{
    config::PostgresConfig,
    connector::Connector,
    error::ConnectError,
    hub::{HubTask, OrderSender, order_channel},
    nodes, ownership, reads,
    session::Session,
    worker::Worker,
};
use crate::{
    storage::Loaded,
    store::{
        batch::Command,
        retention::{LATE, MAX_LATE, before},
        shared::{FailedUnlessDone, Shared},
    },
    time::Timestamp,
};
use std::{
    io, mem,
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
    time::Duration,
};
use tokio::{runtime, sync::mpsc::UnboundedReceiver, time::timeout};

/// How long each step of the goodbye may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// Connects, once, since whoever starts a server wants to know at once what is wrong. A runtime of its own: whoever embeds the service may
/// have none, and it is not held up by what others do on theirs.
pub(in crate::store) fn start(
    config: PostgresConfig,
    now: Timestamp,
    commands: UnboundedReceiver<Command>,
    shared: Arc<Shared>,
) -> Result<(JoinHandle<()>, OrderSender, Loaded), ConnectError> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let (tell, told) = mpsc::channel();
    let (orders, received) = order_channel();
    let thread = thread::Builder::new().name("store".into()).spawn(move || {
        runtime.block_on(async {
            match open(&config, now, commands, &shared).await {
                Ok((connector, worker, loaded)) => {
                    let guard = FailedUnlessDone(shared);
                    // Whoever started it waits for this.
                    drop(tell.send(Ok(loaded)));
                    let hub = HubTask::new(Arc::clone(&connector), received);
                    // Neither has anybody to work for once the last handle is gone.
                    let (session, ()) = tokio::join!(worker.run(), hub.run());
                    if let Some(session) = session {
                        say_goodbye(&connector, session).await;
                    }
                    mem::forget(guard);
                }
                Err(error) => drop(tell.send(Err(error))),
            }
        });
    })?;
    let loaded = told.recv().unwrap_or_else(|_| Err(io::Error::other("its thread has panicked").into()))?;
    Ok((thread, orders, loaded))
}

async fn open(
    config: &PostgresConfig,
    now: Timestamp,
    commands: UnboundedReceiver<Command>,
    shared: &Arc<Shared>,
) -> Result<(Arc<Connector>, Worker, Loaded), ConnectError> {
    let connector = Arc::new(Connector::new(&config.url)?);
    let session = connector.connect().await?;
    // A server that was killed and is started again has its requests back at once.
    nodes::forget_killed(session.client()).await?;
    nodes::register(session.client(), session.own(), connector.own()).await?;
    let open = ownership::take_over(&session, i64::MAX).await?;
    let loaded = Loaded { open, ended: reads::ended(&session, before(now, LATE), MAX_LATE).await? };
    let worker = Worker::new(commands, Arc::clone(&connector), session, Arc::clone(shared));
    Ok((connector, worker, loaded))
}

/// What is open is anybody's from now on. Where this does not get there, it is once the lease is over.
async fn say_goodbye(connector: &Connector, session: Session) {
    let _ = timeout(GOODBYE, nodes::unregister(session.client(), connector.own().id())).await;
    session.close().await;
}

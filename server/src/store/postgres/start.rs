//! Opening a store: the connection, the tables, what is in them; and the thread that goes on with it.

use super::{config::PostgresConfig, error::ConnectError, reads, session::Connector, worker::Worker};
use crate::{
    storage::Loaded,
    store::{
        batch::Command,
        quota::Limits,
        retention::{LATE, MAX_LATE, before},
        shared::{FailedUnlessDone, Shared},
    },
    time::Timestamp,
};
use std::{
    io, mem,
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
};
use tokio::{runtime, sync::mpsc::UnboundedReceiver};

/// Connects, once, since whoever starts a server wants to know at once what is wrong. A runtime of its own: whoever embeds the service may
/// have none, and it is not held up by what others do on theirs.
pub(in crate::store) fn start(
    config: PostgresConfig,
    now: Timestamp,
    commands: UnboundedReceiver<Command>,
    shared: Arc<Shared>,
) -> Result<(JoinHandle<()>, Loaded), ConnectError> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let (tell, told) = mpsc::channel();
    let thread = thread::Builder::new().name("store".into()).spawn(move || {
        runtime.block_on(async {
            match open(&config, now, commands, &shared).await {
                Ok((worker, loaded)) => {
                    let guard = FailedUnlessDone(shared);
                    // Whoever started it waits for this.
                    drop(tell.send(Ok(loaded)));
                    worker.run().await;
                    mem::forget(guard);
                }
                Err(error) => drop(tell.send(Err(error))),
            }
        });
    })?;
    let loaded = told.recv().unwrap_or_else(|_| Err(io::Error::other("its thread has panicked").into()))?;
    Ok((thread, loaded))
}

async fn open(
    config: &PostgresConfig,
    now: Timestamp,
    commands: UnboundedReceiver<Command>,
    shared: &Arc<Shared>,
) -> Result<(Worker, Loaded), ConnectError> {
    let connector = Connector::new(&config.url)?;
    let session = connector.connect().await?;
    let loaded = reads::load(&session, before(now, LATE), MAX_LATE).await?;
    let limits = Limits { max_bytes: config.max_bytes, max_share_percent: config.max_share_percent };
    Ok((Worker::new(commands, connector, session, limits, Arc::clone(shared)), loaded))
}

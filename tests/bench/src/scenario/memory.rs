//! The resident memory of idle introduced connections.

use crate::{Fallible, countersign, fixture, load::wallet};
use std::{path::Path, time::Duration};
use tokio::time::sleep;

/// What the first connections cost once is not the price of one more.
const WARM: usize = 100;

/// Connections whose memory is counted.
pub(crate) const HELD: usize = 5000;

/// How long the server has to settle before its memory is read.
const SETTLE: Duration = Duration::from_secs(1);

/// What was found.
pub(crate) struct Memory {
    /// Each connection, in KiB.
    pub(crate) kib_each: f64,
    /// The process before, in bytes.
    pub(crate) before: u64,
    /// The process with all of them.
    pub(crate) held: u64,
    /// The process when they had gone.
    pub(crate) after: u64,
}

/// Holds them, lets go of them.
pub(crate) async fn measure(binary: &Path) -> Fallible<Memory> {
    let wallets = fixture::wallets((WARM + HELD) as u32, 0);
    let (warm, counted) = wallets.split_at(WARM);
    let server = countersign::start(binary).await?;
    let dialect = countersign::dialect(server.address)?;
    let warm = wallet::serve(warm, server.address, &dialect).await?;
    sleep(SETTLE).await;
    let before = server.resident()?;
    let counted = wallet::serve(counted, server.address, &dialect).await?;
    sleep(SETTLE).await;
    let held = server.resident()?;
    drop(counted);
    sleep(SETTLE).await;
    let after = server.resident()?;
    drop(warm);
    server.stop().await?;
    Ok(Memory { kib_each: held.saturating_sub(before) as f64 / 1024.0 / HELD as f64, before, held, after })
}

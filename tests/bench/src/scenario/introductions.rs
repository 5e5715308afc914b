//! Wallets that connect, prove their key and hang up, as after a restart of the server.

use crate::{Fallible, countersign, fixture, load::wallet};
use std::{
    path::Path,
    time::{Duration, Instant},
};
use tokio::time::sleep;

/// What the first connections cost once stays.
const WARM: usize = 1000;

/// Introductions that are counted.
pub(crate) const COUNTED: usize = 10_000;

/// How long the server has to settle before its memory is read.
const SETTLE: Duration = Duration::from_secs(1);

/// What was found.
pub(crate) struct Introductions {
    pub(crate) per_second: f64,
    /// The server's processor time for each, in microseconds.
    pub(crate) cpu_micros: f64,
    /// The process before, in bytes.
    pub(crate) before: u64,
    /// The process afterwards.
    pub(crate) after: u64,
}

/// Counts them on the clock.
pub(crate) async fn measure(binary: &Path) -> Fallible<Introductions> {
    let wallets = fixture::wallets((WARM + COUNTED) as u32, 0);
    let (warm, counted) = wallets.split_at(WARM);
    let server = countersign::start(binary).await?;
    let dialect = countersign::dialect(server.address)?;
    wallet::visit(warm, server.address, &dialect).await?;
    sleep(SETTLE).await;
    let (before, cpu, start) = (server.resident()?, server.cpu()?, Instant::now());
    wallet::visit(counted, server.address, &dialect).await?;
    let (took, cpu) = (start.elapsed(), server.cpu()?.saturating_sub(cpu));
    sleep(SETTLE).await;
    let after = server.resident()?;
    server.stop().await?;
    let each = |time: Duration| time.as_secs_f64() / COUNTED as f64;
    Ok(Introductions { per_second: 1.0 / each(took), cpu_micros: each(cpu) * 1e6, before, after })
}

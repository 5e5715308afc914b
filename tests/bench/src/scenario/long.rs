//! What the longest messages cost beside short ones.

use crate::{
    Fallible, alone, countersign,
    fixture::{self, LONG_MESSAGE_BYTES, MESSAGE_BYTES},
    load::{Plan, wallet},
    peer,
    sample::Sample,
};
use std::path::Path;

/// The same server with both, and both verified alone: what they differ by there is hashing.
pub(crate) struct Long {
    /// Messages of 256 bytes.
    pub(crate) short: Sample,
    /// Of 64 KiB.
    pub(crate) long: Sample,
    short_verdict: Sample,
    long_verdict: Sample,
}

impl Long {
    /// All four.
    pub(crate) fn samples(&self) -> [&Sample; 4] {
        [&self.short, &self.long, &self.short_verdict, &self.long_verdict]
    }

    /// What hashing the longer message costs more, in microseconds.
    pub(crate) fn hashing(&self) -> f64 {
        self.long_verdict.cpu_micros() - self.short_verdict.cpu_micros()
    }

    /// How many times as much a signature costs, hashing left out.
    pub(crate) fn times(&self) -> f64 {
        (self.long.cpu_micros() - self.hashing()) / self.short.cpu_micros()
    }
}

/// Measures with short messages, then with long ones.
pub(crate) async fn measure(binary: &Path, plan: Plan) -> Fallible<Long> {
    Ok(Long {
        short: over_http(binary, plan, MESSAGE_BYTES).await?,
        long: over_http(binary, plan, LONG_MESSAGE_BYTES).await?,
        short_verdict: alone::measure(alone::Work::Verdict, plan).await?,
        long_verdict: alone::measure(alone::Work::LongVerdict, plan).await?,
    })
}

async fn over_http(binary: &Path, plan: Plan, message_bytes: usize) -> Fallible<Sample> {
    let wallets = fixture::wallets_with(100, 1, message_bytes);
    let server = countersign::start(binary).await?;
    let dialect = countersign::dialect(server.address)?;
    let serving = wallet::serve(&wallets, server.address, &dialect).await?;
    let sample = peer::http(&server, &wallets, countersign::PATH, plan).await?;
    drop(serving);
    server.stop().await?;
    Ok(sample)
}

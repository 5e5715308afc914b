//! What is measured of Countersign alone.

pub(crate) mod crowd;
pub(crate) mod durable;
pub(crate) mod introductions;
pub(crate) mod long;
pub(crate) mod memory;
pub(crate) mod paced;

use clap::ValueEnum;

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// What idle wallets cost.
    Memory,
    /// What 10,000 wallets cost those who are asked.
    Crowd,
    /// How fast wallets introduce themselves, and what they leave behind.
    Introductions,
    /// How fast requests are taken that have to outlive the server.
    Durable,
    /// What the longest messages cost.
    Long,
    /// How long round trips take at a fixed rate.
    Paced,
}

/// Resident memory in MiB.
pub(crate) fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

//! Three real servers on one real PostgreSQL in a bad world, one fault after the other, while wallets and backends go on.
//!
//! `cargo run -p countersign-tests --bin cluster -- --help`

mod faults;
mod rolling;
mod row;
mod world;

use clap::Parser;
use row::Row;
use std::{path::PathBuf, process::ExitCode};

/// Prints what becomes of requests when something goes wrong in a cluster of three servers and a PostgreSQL. Fails where a number that has
/// to be 0 is not.
///
/// requests: those that were open at some time during the fault. lost: taken, and then gone, without an end, or with another end than their
/// wallet was told. doubled: one call that became two requests. two ends: different ends told to anybody, be it a caller, a poll at any server, a withdrawal
/// or a wallet; or a prompt taken back before the request was over. shown twice: shown to a human once more, or after its end had been told
/// somewhere (half a second earlier, and for more than 0.2 s). away: the longest that a wallet was without a connection, in seconds; it dials the
/// next server after up to one second. noticed: what backends were told that is neither what the human did nor what they asked for themselves.
#[derive(Parser)]
struct Arguments {
    /// Only the faults with this in their name
    #[arg(default_value = "")]
    only: String,
    /// Only those that take a few seconds
    #[arg(long)]
    short: bool,
    /// In place of the table: as many wallets as --wallets says, while the servers are restarted one after the other
    #[arg(long)]
    rolling: bool,
    /// Wallets of that
    #[arg(long, default_value_t = 2000)]
    wallets: u32,
    /// Kills in the row that has them by turns
    #[arg(long, default_value_t = 12)]
    rounds: usize,
    /// A folder that gets the servers' logs
    #[arg(long)]
    logs: Option<PathBuf>,
    /// Backends, each asking one thing after the other
    #[arg(long, default_value_t = 10)]
    backends: usize,
}

/// All rows, and whether any was wrong.
struct Table {
    arguments: Arguments,
    failed: bool,
}

impl Table {
    fn wants(&self, fault: &str, is_quick: bool) -> bool {
        fault.contains(&self.arguments.only) && (is_quick || !self.arguments.short)
    }

    fn note(&mut self, row: Row) {
        self.failed |= !row.print();
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(logs) = &arguments.logs {
        std::fs::create_dir_all(logs).unwrap();
    }
    let mut table = Table { arguments, failed: false };
    // Where the limit cannot be raised, the connections that fail will say so.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    row::head();
    if table.arguments.rolling {
        table.rolling().await;
    } else {
        table.all().await;
    }
    if table.failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

//! Runs the simulation over many seeds, on all cores, and says what it found.
//!
//! `cargo run -p countersign-tests --bin simulate -- --help`

use clap::Parser;
use countersign_tests::simulation::{Coverage, Options, Outcome, Seen, run};
use std::{
    process::ExitCode,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

/// From so many seeds on, everything worth seeing has to have been seen.
const ENOUGH: u64 = 5_000;

/// Simulates Countersign with all that can go wrong, and checks what it promises.
#[derive(Parser)]
struct Arguments {
    /// How many seeds to run
    #[arg(long, default_value_t = 10_000)]
    seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Run this one seed only
    #[arg(long)]
    seed: Option<u64>,
    /// How many of those that break a promise to print
    #[arg(long, default_value_t = 10)]
    show: usize,
    /// Print everything that happens, with --seed
    #[arg(long)]
    trace: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.seed {
        Some(seed) => one(seed, arguments.trace),
        None => many(&arguments),
    }
}

#[allow(clippy::print_stdout)]
fn one(seed: u64, trace: bool) -> ExitCode {
    let outcome = run(seed, Options { trace, ..Options::default() });
    for line in &outcome.lines {
        println!("{line}");
    }
    println!("seed {seed}: {} events, hash {:016x}", outcome.events, outcome.hash);
    match outcome.violation {
        None => ExitCode::SUCCESS,
        Some(violation) => {
            println!("VIOLATION: {}: {}", violation.name, violation.detail);
            ExitCode::FAILURE
        }
    }
}

/// What one thread has found.
#[derive(Default)]
struct Found {
    coverage: Coverage,
    broken: Vec<(u64, Outcome)>,
    events: u64,
}

#[allow(clippy::print_stdout)]
fn many(&Arguments { from, seeds, show, .. }: &Arguments) -> ExitCode {
    let began = Instant::now();
    let next = AtomicU64::new(from);
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let found = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(|| work(&next, from + seeds))).collect();
        workers.into_iter().map(|worker| worker.join().expect("no worker panics")).fold(Found::default(), merge)
    });
    report((seeds, show), &found, began.elapsed());
    let missing = found.coverage.missing();
    if seeds >= ENOUGH && !missing.is_empty() {
        println!("never seen: {missing:?}");
    }
    let is_complete = seeds < ENOUGH || missing.is_empty();
    if found.broken.is_empty() && is_complete { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn work(next: &AtomicU64, end: u64) -> Found {
    let mut found = Found::default();
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= end {
            return found;
        }
        let outcome = run(seed, Options::default());
        found.events += outcome.events;
        found.coverage.add(&outcome.coverage);
        if outcome.violation.is_some() {
            found.broken.push((seed, outcome));
        }
    }
}

fn merge(mut one: Found, other: Found) -> Found {
    one.coverage.add(&other.coverage);
    one.broken.extend(other.broken);
    one.broken.sort_by_key(|(seed, _)| *seed);
    one.events += other.events;
    one
}

#[allow(clippy::print_stdout)]
fn report((seeds, show): (u64, usize), found: &Found, took: Duration) {
    println!("{}", found.coverage);
    println!("signed: {} of {} ends", found.coverage.times(Seen::Signed), found.coverage.times(Seen::AnswerTold));
    println!("seeds run: {seeds} in {:.1} s, {} events", took.as_secs_f64(), found.events);
    println!("violations: {}", found.broken.len());
    for (seed, outcome) in found.broken.iter().take(show) {
        if let Some(violation) = &outcome.violation {
            println!("  seed {seed}: {}: {}", violation.name, violation.detail);
            println!("    cargo run -p countersign-tests --bin simulate -- --seed {seed} --trace");
        }
    }
}

//! Measures Countersign against what people would use instead, in one run on one machine.
//!
//! Every server runs alone on one core, the load on the other. What counts is the server's processor time per verified
//! signature, and of that the ratios within one run: the peers take turns, round after round, and each ratio is the median of
//! the rounds'. How and why: README.md.

mod alone;
mod arguments;
mod countersign;
mod fixture;
mod load;
mod machine;
mod peer;
mod process;
mod report;
mod results;
mod sample;
mod scenario;
mod text;

use arguments::{Arguments, Command};
use clap::Parser;
use peer::Bench;
use results::Results;
use scenario::Scenario;
use std::{error::Error, fs, process::ExitCode};
use tokio::{
    signal::unix::{SignalKind, signal},
    task::yield_now,
};

/// What goes wrong here ends the run with a message, so a message is all there needs to be.
type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// The most rounds of the scenario with 10,000 wallets, whose every round takes longer than all the peers' together.
const CROWD_ROUNDS: usize = 3;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let ended = match &arguments.command {
        Some(Command::Alone(alone)) => alone::work(alone).await.map(|()| true),
        None => until_signal(bench(&arguments)).await,
    };
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("countersign-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Drops the work at a signal, and with it every process that it has started.
async fn until_signal<T>(work: impl Future<Output = Fallible<T>>) -> Fallible<T> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        ended = work => ended,
        _ = interrupt.recv() => Err("interrupted".into()),
        _ = terminate.recv() => Err("terminated".into()),
    }
}

/// Measures what was asked for and reports it; whether every request brought its signature.
async fn bench(arguments: &Arguments) -> Fallible<bool> {
    machine::pin_load()?;
    rlimit::increase_nofile_limit(u64::MAX)?;
    if arguments.awake {
        tokio::spawn(stay_awake());
    }
    let mut results = Results::new(arguments.awake);
    let bench = Bench::new(arguments.binaries()?, arguments.plan());
    measure_peers(arguments, &bench, &mut results).await?;
    for scenario in arguments.scenarios() {
        measure_scenario(scenario, arguments, &bench, &mut results).await?;
    }
    results.end();

    let text = report::markdown(&results);
    println!("{text}");
    if let Some(folder) = &arguments.write {
        fs::write(folder.join("RESULTS.md"), text)?;
        fs::write(folder.join("results.svg"), report::svg(&results))?;
    }
    for error in results.errors().take(5) {
        eprintln!("error: {error}");
    }
    Ok(results.errors().next().is_none())
}

/// A runtime with something to do looks for what has come instead of going to sleep.
async fn stay_awake() {
    loop {
        yield_now().await;
    }
}

/// Every peer once, then every peer again: what disturbs the machine for a while disturbs them all.
async fn measure_peers(arguments: &Arguments, bench: &Bench, results: &mut Results) -> Fallible<()> {
    for round in 1..=arguments.rounds {
        for peer in arguments.peers() {
            let sample = bench.measure(peer).await.map_err(|error| format!("{}: {error}", peer.name()))?;
            eprintln!(
                "round {round}: {}: {:.1} µs/signature, {:.0}/s, server {:.0} %, load {:.0} %, {} errors",
                peer.name(),
                sample.cpu_micros(),
                sample.per_second(),
                sample.server_busy() * 100.0,
                sample.load_busy() * 100.0,
                sample.errors.len()
            );
            results.add(peer, sample);
        }
    }
    Ok(())
}

async fn measure_scenario(
    scenario: Scenario,
    arguments: &Arguments,
    bench: &Bench,
    results: &mut Results,
) -> Fallible<()> {
    eprintln!("{scenario:?}");
    let binary = &bench.binaries.countersign;
    match scenario {
        Scenario::Memory => results.memory = Some(scenario::memory::measure(binary).await?),
        Scenario::Crowd => {
            for _ in 0..arguments.rounds.min(CROWD_ROUNDS) {
                results.crowds.push(scenario::crowd::measure(binary, bench.plan).await?);
            }
        }
        Scenario::Introductions => results.introductions = Some(scenario::introductions::measure(binary).await?),
        Scenario::Durable => {
            let durable = scenario::durable::measure(binary, bench.plan).await?;
            let (one, many) = (durable.one.per_second(), durable.many.per_second());
            eprintln!(
                "durable accepts: {one:.0}/s for one caller, {many:.0}/s for 64, {:.1} times as many",
                durable.gain()
            );
            results.durable = Some(durable);
        }
        Scenario::Long => results.long = Some(scenario::long::measure(binary, bench.plan).await?),
        Scenario::Paced => results.paced = Some(scenario::paced::measure(binary, bench.plan).await?),
    }
    Ok(())
}

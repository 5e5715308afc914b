//! Work without a network, in a process of its own on the server's core.

mod in_process;
mod verify;

use crate::{Fallible, fixture, load::Plan, machine, process::on_server_core, sample::Sample};
use clap::{Args, ValueEnum};
use std::{
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};
use tokio::time::timeout;

/// How much longer than planned it may take.
const GRACE: Duration = Duration::from_secs(20);

/// What is done.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Work {
    InProcess,
    Verify,
    Verdict,
    LongVerdict,
}

/// One piece of work: what the benchmark starts itself as.
#[derive(Args)]
pub(crate) struct Alone {
    work: Work,
    /// Milliseconds before the measurement
    warm_up: u64,
    /// Milliseconds of the measurement
    measure: u64,
}

/// Starts this program again to do the work.
pub(crate) async fn measure(work: Work, plan: Plan) -> Fallible<Sample> {
    measure_by(&std::env::current_exe()?, work, plan).await
}

/// Likewise another build of it.
pub(crate) async fn measure_by(program: &Path, work: Work, plan: Plan) -> Fallible<Sample> {
    let name = work.to_possible_value().ok_or("no name")?;
    let mut command = on_server_core(program);
    command.args(["alone", name.get_name()]);
    command.args([plan.warm_up, plan.measure].map(|duration| duration.as_millis().to_string()));
    let output = command.stderr(Stdio::inherit()).output();
    let output = timeout(plan.warm_up + plan.measure + GRACE, output).await.map_err(|_| "it does not end")??;
    let found = String::from_utf8(output.stdout)?;
    let numbers: Vec<u64> = found.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    let [signatures, cpu, wall] = numbers[..] else { return Err(format!("it found {found:?}").into()) };
    let [cpu, wall] = [cpu, wall].map(Duration::from_micros);
    Ok(Sample { signatures, cpu, wall, ..Sample::default() })
}

/// Does the work and prints what it found: signatures, microseconds of processor time, microseconds that passed.
pub(crate) async fn work(alone: &Alone) -> Fallible<()> {
    let (warm_up, measure) = (Duration::from_millis(alone.warm_up), Duration::from_millis(alone.measure));
    let found = match alone.work {
        Work::InProcess => in_process::run(warm_up, measure).await?,
        Work::Verify => verify::dalek(warm_up, measure)?,
        Work::Verdict => verify::own(fixture::MESSAGE_BYTES, warm_up, measure)?,
        Work::LongVerdict => verify::own(fixture::LONG_MESSAGE_BYTES, warm_up, measure)?,
    };
    println!("{} {} {}", found.signatures, found.cpu.as_micros(), found.wall.as_micros());
    Ok(())
}

/// The counters at one moment.
struct Reading {
    signatures: u64,
    cpu: Duration,
    at: Instant,
}

impl Reading {
    fn take(signatures: u64) -> Fallible<Self> {
        Ok(Self { signatures, cpu: machine::cpu(std::process::id())?, at: Instant::now() })
    }

    fn until(&self, signatures: u64) -> Fallible<Sample> {
        let now = Self::take(signatures)?;
        Ok(Sample {
            signatures: now.signatures - self.signatures,
            cpu: now.cpu.saturating_sub(self.cpu),
            wall: now.at - self.at,
            ..Sample::default()
        })
    }
}

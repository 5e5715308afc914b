//! The command line.

use crate::{alone::Alone, load::Plan, load::Schedule, peer::Peer, scenario::Scenario};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::{path::PathBuf, time::Duration};

/// Measures Countersign against what people would use instead.
///
/// Without --peers and --scenarios it does everything; with one of them, only what that names.
#[derive(Parser)]
#[command(name = "countersign-bench")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    /// Who is measured
    #[arg(long, value_enum, value_delimiter = ',', value_name = "NAME")]
    peers: Vec<Peer>,

    /// What else is measured of Countersign
    #[arg(long, value_enum, value_delimiter = ',', value_name = "NAME")]
    scenarios: Vec<Scenario>,

    /// How often each is measured, the peers taking turns
    #[arg(long, default_value_t = 5)]
    pub(crate) rounds: usize,

    /// How long each measurement takes
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,

    /// How long a server runs under load before it is measured
    #[arg(long, default_value_t = 1.5, value_name = "SECONDS")]
    warm_up: f64,

    /// Keep the load's core awake, so that no server pays for waking it
    #[arg(long)]
    pub(crate) awake: bool,

    /// Where to write RESULTS.md and results.svg
    #[arg(long, value_name = "DIR")]
    pub(crate) write: Option<PathBuf>,

    #[command(flatten)]
    binaries: BinaryArguments,
}

/// What this program also does.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Does one piece of work in this very process
    #[command(hide = true)]
    Alone(Alone),
}

#[derive(Args)]
struct BinaryArguments {
    /// The server that is measured [default: beside this program]
    #[arg(long, value_name = "FILE")]
    countersign: Option<PathBuf>,

    /// Another build of it, measured in turn with it
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,

    /// Where the peers in Rust are, and this program, as cargo builds them for whoever sets no flags [default: as `make bench` does]
    #[arg(long, value_name = "DIR")]
    built_plainly: Option<PathBuf>,
}

/// Where the programs are.
pub(crate) struct Binaries {
    pub(crate) countersign: PathBuf,
    pub(crate) baseline: Option<PathBuf>,
    pub(crate) actix_plan: PathBuf,
    /// This program, built with the same flags as that.
    pub(crate) built_plainly: PathBuf,
    pub(crate) nats_server: PathBuf,
}

impl Arguments {
    /// The peers to measure, in the order of their turns.
    pub(crate) fn peers(&self) -> Vec<Peer> {
        let everyone = self.peers.is_empty() && self.scenarios.is_empty();
        let mut peers: Vec<_> = if everyone { Peer::value_variants().to_vec() } else { self.peers.clone() };
        peers.retain(|peer| *peer != Peer::Baseline);
        if self.binaries.baseline.is_some() {
            peers.push(Peer::Baseline);
        }
        // The figure of the one is made with that of the other.
        if peers.contains(&Peer::Nats) {
            peers.push(Peer::Verify);
        }
        peers.sort_unstable();
        peers.dedup();
        peers
    }

    /// The scenarios to run.
    pub(crate) fn scenarios(&self) -> Vec<Scenario> {
        let all = self.peers.is_empty() && self.scenarios.is_empty();
        if all { Scenario::value_variants().to_vec() } else { self.scenarios.clone() }
    }

    /// How every measurement is made.
    pub(crate) fn plan(&self) -> Plan {
        Plan {
            schedule: Schedule::Closed,
            warm_up: Duration::from_secs_f64(self.warm_up.clamp(0.1, 60.0)),
            measure: Duration::from_secs_f64(self.seconds.clamp(0.1, 600.0)),
        }
    }

    /// The programs: ours were built beside this one.
    pub(crate) fn binaries(&self) -> crate::Fallible<Binaries> {
        let own = std::env::current_exe()?;
        let beside = |name: &str| own.with_file_name(name);
        let plainly = self.binaries.built_plainly.clone();
        // target/release/countersign-bench, and target/plainly/release.
        let plainly = plainly.unwrap_or_else(|| own.ancestors().nth(2).unwrap_or(&own).join("plainly/release"));
        for name in ["actix-plan", "countersign-bench"] {
            if !plainly.join(name).is_file() {
                return Err(format!("no {name} in {}: `make bench` builds it", plainly.display()).into());
            }
        }
        Ok(Binaries {
            countersign: self.binaries.countersign.clone().unwrap_or_else(|| beside("countersign")),
            baseline: self.binaries.baseline.clone(),
            actix_plan: plainly.join("actix-plan"),
            built_plainly: plainly.join("countersign-bench"),
            // Debian keeps it where not every user's path leads.
            nats_server: ["/usr/sbin/nats-server", "/usr/local/bin/nats-server"]
                .map(PathBuf::from)
                .into_iter()
                .find(|path| path.exists())
                .unwrap_or_else(|| "nats-server".into()),
        })
    }
}

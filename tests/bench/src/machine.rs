//! The machine: which core does what, what it costs, how busy others are.

use crate::Fallible;
use std::{fs, process::Command, thread, time::Duration};

/// The core of the server under test.
pub(crate) const SERVER_CORE: &str = "0";

/// That and the load's.
pub(crate) const BOTH_CORES: &str = "0,1";

/// The core of everything else.
const LOAD_CORE: &str = "1";

/// The kernel counts processor time in this unit for every program (`USER_HZ`, proc(5)).
const TICKS_PER_SECOND: u64 = 100;

/// Moves this process to the core of the load. Threads and processes that it starts stay there unless told otherwise.
pub(crate) fn pin_load() -> Fallible<()> {
    if thread::available_parallelism()?.get() < 2 {
        return Err("two cores are needed: one for the server, one for the load".into());
    }
    let own = std::process::id().to_string();
    let output =
        Command::new("taskset").args(["-cp", LOAD_CORE, &own]).output().map_err(|e| format!("taskset: {e}"))?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into()) }
}

/// The processor time of a process so far, all its threads together, user and kernel.
pub(crate) fn cpu(pid: u32) -> Fallible<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The second field is a name that may hold anything, parentheses too.
    let (_, fields) = stat.rsplit_once(')').ok_or("no name in stat")?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>).sum::<Result<u64, _>>()?;
    Ok(Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND))
}

/// The resident memory of a process, in bytes.
pub(crate) fn resident(pid: u32) -> Fallible<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    let kib: u64 = line.trim_end_matches("kB").trim().parse()?;
    Ok(kib * 1024)
}

/// How many processes want a core, averaged over the last minute.
pub(crate) fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().unwrap_or("?").to_owned()
}

/// Whether the processor has what makes curve arithmetic cheapest, AVX-512 IFMA: the goals differ by it.
pub(crate) fn has_ifma() -> bool {
    features().any(|feature| feature == "avx512ifma")
}

/// What the processor has of that which the curve's arithmetic or hashing could use.
fn features() -> impl Iterator<Item = String> {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let flags = text.lines().filter_map(|line| line.split_once(':')).find(|(key, _)| key.trim() == "flags");
    let flags: Vec<_> =
        flags.map(|(_, flags)| flags.split_whitespace().map(str::to_owned).collect()).unwrap_or_default();
    flags.into_iter().filter(|flag| ["avx2", "avx512f", "avx512ifma", "bmi2", "adx"].contains(&flag.as_str()))
}

/// The processor's name, its features and how many there are, which says all that a reader may compare.
pub(crate) fn description() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let values = |name: &'static str| {
        text.lines().filter_map(|line| line.split_once(':')).filter(move |(key, _)| key.trim() == name)
    };
    let model = values("model name").next().map_or("unknown processor", |(_, model)| model.trim());
    let features: Vec<_> = features().collect();
    format!("{model}, {} cores, with {}", values("processor").count(), features.join(", "))
}

//! What the system knows of this process, under the names that Prometheus' own libraries have for it.

use prometheus_client::{
    metrics::{counter::ConstCounter, gauge::ConstGauge},
    registry::{Registry, Unit},
};
use rustix::process::{Resource, getrlimit};
use std::fs;

/// The unit of times in `/proc`, which every Linux shows to its processes as 100 a second (`USER_HZ`), whatever its own is.
const TICKS_PER_SECOND: f64 = 100.0;

/// Of this process; empty where there is no `/proc`. Reads no disk, but takes as long as there are descriptors to be
/// counted.
pub(super) fn process() -> Registry {
    let mut registry = Registry::with_prefix("process");
    // What cannot be read is left out.
    let _ = of_stat(&mut registry);
    let _ = of_status(&mut registry);
    let _ = of_descriptors(&mut registry);
    registry
}

fn of_stat(registry: &mut Registry) -> Option<()> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name before may have spaces and parentheses in it. proc(5): the first field after it is the third.
    let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
    let cpu = (field(14)? + field(15)?) / TICKS_PER_SECOND;
    let seconds = Some(Unit::Seconds);
    register(
        registry,
        "cpu",
        "Processor time taken, the system's for it included",
        seconds.clone(),
        ConstCounter::new(cpu),
    );
    let of_system = fs::read_to_string("/proc/stat").ok()?;
    let boot: f64 = of_system.lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse().ok())?;
    let started = boot + field(22)? / TICKS_PER_SECOND;
    register(registry, "start_time", "When it started, since the Unix epoch", seconds, ConstGauge::new(started));
    Some(())
}

fn of_status(registry: &mut Registry) -> Option<()> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let number = |name: &str| {
        let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        value.split_whitespace().next()?.parse::<i64>().ok()
    };
    let bytes = Some(Unit::Bytes);
    let resident = ConstGauge::new(number("VmRSS")? * 1024);
    register(registry, "resident_memory", "Memory that is really there", bytes.clone(), resident);
    let reserved = ConstGauge::new(number("VmSize")? * 1024);
    register(registry, "virtual_memory", "Addresses reserved", bytes, reserved);
    register(registry, "threads", "Threads", None, ConstGauge::new(number("Threads")?));
    Some(())
}

fn of_descriptors(registry: &mut Registry) -> Option<()> {
    // The one that counts them is among them.
    let open = i64::try_from(fs::read_dir("/proc/self/fd").ok()?.count()).ok()?;
    register(registry, "open_fds", "File descriptors that are open", None, ConstGauge::new(open - 1));
    let most = getrlimit(Resource::Nofile).current;
    let most = ConstGauge::new(most.and_then(|most| i64::try_from(most).ok()).unwrap_or(i64::MAX));
    register(registry, "max_fds", "The most file descriptors that may be open", None, most);
    Some(())
}

fn register(
    registry: &mut Registry,
    name: &str,
    help: &str,
    unit: Option<Unit>,
    metric: impl prometheus_client::registry::Metric,
) {
    match unit {
        Some(unit) => registry.register_with_unit(name, help, unit, metric),
        None => registry.register(name, help, metric),
    }
}

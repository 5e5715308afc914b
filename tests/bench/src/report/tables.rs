//! Everything behind the figures.

use crate::{
    peer::Peer,
    results::Results,
    sample::{Sample, median},
    scenario::{crowd::Crowd, introductions, memory, mib},
};

/// Every peer, one line each: medians of the rounds.
pub(super) fn peers(results: &Results) -> String {
    let mut lines = results.peers().map(|(peer, rounds)| line(results, peer, rounds)).peekable();
    if lines.peek().is_none() {
        return String::new();
    }
    format!(
        "\n## Everyone\n\nMedians of {} rounds; the peers took turns.\n\n\
         | | server CPU per signature | against verify_strict | Countersign against it | signatures per second | p50 | p99 | \
         server's core busy | load's core busy | errors |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n{}",
        results.peers().map(|(_, rounds)| rounds.len()).max().unwrap_or_default(),
        lines.collect::<String>()
    )
}

fn line(results: &Results, peer: Peer, rounds: &[Sample]) -> String {
    let of = |value: &dyn Fn(&Sample) -> f64| median(rounds.iter().map(value)).unwrap_or(f64::NAN);
    let percent = |value: &dyn Fn(&Sample) -> f64| format!("{:.0} %", of(value) * 100.0);
    let micros = |value: Option<f64>| value.map_or_else(none, |micros| format!("{micros:.1} µs"));
    let times = |value: Option<f64>| value.map_or_else(none, |ratio| format!("{ratio:.2}"));
    let millis = |share| {
        let percentiles = rounds.iter().filter_map(|sample| sample.percentile(share));
        median(percentiles).map_or_else(none, |millis| format!("{millis:.1} ms"))
    };
    let has_load = rounds.iter().any(|sample| !sample.micros.is_empty());
    let load = if has_load { percent(&Sample::load_busy) } else { none() };
    format!(
        "| {} | {} | {} | {} | {:.0} | {} | {} | {} | {load} | {} |\n",
        peer.name(),
        micros(results.cost(peer)),
        times(results.against(peer, Peer::Verify)),
        times(results.against(Peer::Countersign, peer)),
        of(&Sample::per_second),
        millis(0.5),
        millis(0.99),
        percent(&Sample::server_busy),
        rounds.iter().map(|sample| sample.errors.len()).sum::<usize>()
    )
}

fn none() -> String {
    "–".into()
}

/// Every scenario, as far as it was run.
pub(super) fn scenarios(results: &Results) -> String {
    let lines = [memory_line(results), crowd_line(results), introductions_line(results), paced_line(results)];
    let lines: String = lines.into_iter().flatten().collect();
    if lines.is_empty() { lines } else { format!("\n## Countersign alone\n\n{lines}") }
}

fn memory_line(results: &Results) -> Option<String> {
    let found = results.memory.as_ref()?;
    Some(format!(
        "- Resident memory: {:.1} MiB with 100 idle wallets, {:.1} MiB with {} more, {:.1} MiB when those had gone.\n",
        mib(found.before),
        mib(found.held),
        memory::HELD,
        mib(found.after)
    ))
}

fn crowd_line(results: &Results) -> Option<String> {
    let cost = |of: fn(&Crowd) -> &Sample| median(results.crowds.iter().map(|crowd| of(crowd).cpu_micros()));
    Some(format!(
        "- CPU per signature: {:.1} µs with 100 wallets connected; with 10,000 connected {:.1} µs when the same 100 are asked, \
         {:.1} µs when all are. Medians of {} servers.\n",
        cost(|crowd| &crowd.few)?,
        cost(|crowd| &crowd.few_of_many)?,
        cost(|crowd| &crowd.many)?,
        results.crowds.len()
    ))
}

fn introductions_line(results: &Results) -> Option<String> {
    let found = results.introductions.as_ref()?;
    Some(format!(
        "- {} introductions, TCP connection and handshake included: {:.0} per second, {:.0} µs of server CPU each.\n",
        introductions::COUNTED,
        found.per_second,
        found.cpu_micros
    ))
}

fn paced_line(results: &Results) -> Option<String> {
    let found = results.paced.as_ref()?;
    Some(format!(
        "- At a fixed rate: {} asked, {:.0} per second, p50 {:.1} ms, p99 {:.1} ms, longest {:.1} ms, {:.1} µs of server CPU each.\n",
        found.asked,
        found.per_second(),
        found.percentile(0.5)?,
        found.percentile(0.99)?,
        found.percentile(1.0)?,
        found.cpu_micros()
    ))
}

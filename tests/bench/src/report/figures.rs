//! The figures that have goals.

use crate::{
    machine,
    peer::Peer,
    results::Results,
    sample::Sample,
    scenario::{memory, mib, paced},
};

/// A figure beside its goal.
struct Figure {
    name: &'static str,
    goal: String,
    measured: String,
    holds: Option<bool>,
}

/// The goals as a Markdown table.
pub(super) fn table(results: &Results) -> String {
    let mut text = "| figure | goal | measured | holds |\n|---|---|---|---|\n".to_owned();
    for Figure { name, goal, measured, holds } in figures(results) {
        let holds = match holds {
            Some(true) => "yes",
            Some(false) => "**no**",
            None => "–",
        };
        text.push_str(&format!("| {name} | {goal} | {measured} | {holds} |\n"));
    }
    text
}

fn figures(results: &Results) -> [Figure; 13] {
    let ours = Peer::Countersign;
    // The first where the processor has AVX-512 IFMA, with which verifying costs half as much, the second elsewhere.
    let goal = |with_ifma: f64, without: f64| if machine::has_ifma() { with_ifma } else { without };
    [
        against(
            results,
            "server CPU per signature over HTTP, against the actix plan",
            (ours, Peer::ActixPlan),
            goal(0.8, 1.0),
        ),
        against(results, "… against Node ws", (ours, Peer::NodeWs), goal(0.2, 0.25)),
        against(results, "… against NATS and one bare verify_strict", (ours, Peer::Nats), goal(0.75, 0.95)),
        against(results, "… against our own strict verification", (ours, Peer::Verdict), goal(2.6, 1.85)),
        against(results, "strict verdict, against bare verify_strict", (Peer::Verdict, Peer::Verify), goal(0.5, 0.8)),
        against(results, "in process, against our own strict verification", (Peer::InProcess, Peer::Verdict), 1.3),
        idle(results),
        crowd(results),
        introductions(results),
        durable(results),
        group_commit(results),
        long(results),
        paced(results),
    ]
}

/// A figure that was measured, or one that was not.
fn figure<T>(name: &'static str, goal: &str, found: Option<T>, judge: impl Fn(T) -> (String, bool)) -> Figure {
    let goal = goal.to_owned();
    match found.map(judge) {
        Some((measured, holds)) => Figure { name, goal, measured, holds: Some(holds) },
        None => Figure { name, goal, measured: "not measured".into(), holds: None },
    }
}

fn against(results: &Results, name: &'static str, (ours, theirs): (Peer, Peer), most: f64) -> Figure {
    let found = results.against(ours, theirs).zip(results.cost(ours)).zip(results.cost(theirs));
    figure(name, &format!("at most {most}"), found, |((ratio, ours), theirs)| {
        (format!("{ratio:.2} ({ours:.1} µs : {theirs:.1} µs)"), ratio <= most)
    })
}

fn idle(results: &Results) -> Figure {
    let name = "resident per idle introduced connection, 5,000 held";
    figure(name, "at most 3.5 KiB", results.memory.as_ref(), |memory| {
        (format!("{:.2} KiB ({} held)", memory.kib_each, memory::HELD), memory.kib_each <= 3.5)
    })
}

fn crowd(results: &Results) -> Figure {
    let name = "CPU per signature with 10,000 wallets connected, against 100";
    figure(name, "at most 1.15", results.crowding(|crowd| &crowd.many), |ratio| {
        let same = results.crowding(|crowd| &crowd.few_of_many).unwrap_or(f64::NAN);
        (format!("{ratio:.2} with all 10,000 asked, {same:.2} with the same 100 asked"), ratio <= 1.15)
    })
}

fn introductions(results: &Results) -> Figure {
    let name = "introductions with proof, one core";
    let goal = "at least 6,000 per second, memory back to where it was afterwards";
    figure(name, goal, results.introductions.as_ref(), |found| {
        // A page here and there is the allocator's business; more than a tenth would be ours.
        let is_back = found.after as f64 <= found.before as f64 * 1.1;
        let measured = format!(
            "{:.0} per second, {:.1} MiB before, {:.1} MiB afterwards",
            found.per_second,
            mib(found.before),
            mib(found.after)
        );
        (measured, found.per_second >= 6000.0 && is_back)
    })
}

fn durable(results: &Results) -> Figure {
    let found = results.durable.as_ref().and_then(|durable| Some((&durable.many, durable.many.percentile(0.99)?)));
    let goal = "at least 36,000 per second, p99 at most 10 ms";
    figure("durable accepts, 64 callers", goal, found, |(sample, p99): (&Sample, f64)| {
        let measured = format!("{:.0} per second, p99 {p99:.1} ms", sample.per_second());
        (measured, sample.per_second() >= 36_000.0 && p99 <= 10.0)
    })
}

fn group_commit(results: &Results) -> Figure {
    let name = "durable accepts of 64 callers against those of one";
    figure(name, "at least 10 times as many", results.durable.as_ref(), |durable| {
        (
            format!("{:.1} times ({:.0} per second for one)", durable.gain(), durable.one.per_second()),
            durable.gain() >= 10.0,
        )
    })
}

fn long(results: &Results) -> Figure {
    let name = "CPU per signature over 64 KiB against 256 B, hashing left out";
    figure(name, "at most 4 times", results.long.as_ref(), |found| {
        let (short, long) = (found.short.cpu_micros(), found.long.cpu_micros());
        let measured = format!(
            "{:.1} times ({long:.1} µs, {:.1} of them hashing : {short:.1} µs)",
            found.times(),
            found.hashing()
        );
        (measured, found.times() <= 4.0)
    })
}

fn paced(results: &Results) -> Figure {
    let name = "round trips at a fixed 2,000 per second";
    let found = results.paced.as_ref().and_then(|sample| Some((sample, sample.percentile(0.99)?)));
    figure(name, "p99 at most 10 ms, lost 0", found, |(sample, p99): (&Sample, f64)| {
        let lost = sample.errors.len();
        let kept_up = sample.per_second() >= paced::PER_SECOND * 0.99;
        let measured = format!("{:.0} per second, p99 {p99:.1} ms, lost {lost}", sample.per_second());
        (measured, p99 <= 10.0 && lost == 0 && kept_up)
    })
}

//! What came of one fault, as a line of the table.

use countersign_tests::{ServerProcess, chaos::Seen};

const MIB: f64 = 1024.0 * 1024.0;

/// What came of one fault.
pub(crate) struct Row {
    pub(crate) fault: &'static str,
    pub(crate) seen: Seen,
    /// In bytes.
    pub(crate) peak: u64,
    /// In bytes; as docs/operating/settings.md has it.
    pub(crate) bound: u64,
    pub(crate) wrong: Vec<String>,
}

impl Row {
    pub(crate) fn of(fault: &'static str, server: &ServerProcess, connections: u64, seen: Seen) -> Self {
        Self { fault, seen, peak: server.peak(), bound: bound(connections), wrong: Vec::new() }
    }

    pub(crate) fn expect(mut self, holds: bool, what: impl Into<String>) -> Self {
        if !holds {
            self.wrong.push(what.into());
        }
        self
    }

    /// Whether it is as it should be.
    pub(crate) fn print(mut self) -> bool {
        let Seen { calls, lost, doubled, late, false_signatures, noticed, .. } = &self.seen;
        let noticed: Vec<_> = noticed.iter().map(|(what, times)| format!("{times} × {what}")).collect();
        println!(
            "| {} | {calls} | {lost} | {doubled} | {late} | {:.0} | {} |",
            self.fault,
            self.peak as f64 / MIB,
            if noticed.is_empty() { "nothing".into() } else { noticed.join(", ") },
        );
        if lost + doubled + late + false_signatures > 0 {
            self.wrong.push(format!("{lost} lost, {doubled} doubled, {late} late, {false_signatures} false"));
        }
        if self.peak > self.bound {
            self.wrong.push(format!(
                "{:.0} MiB resident are over {:.0}",
                self.peak as f64 / MIB,
                self.bound as f64 / MIB
            ));
        }
        for wrong in &self.wrong {
            println!("  WRONG: {}: {wrong}", self.fault);
        }
        self.wrong.is_empty()
    }
}

/// The bound on resident memory for so many connections, with the default limits on requests.
fn bound(connections: u64) -> u64 {
    (64 << 20) + (256 << 20) + 100_000 * 2048 + connections * (256 << 10)
}

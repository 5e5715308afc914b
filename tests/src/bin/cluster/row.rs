//! What came of one fault, as a line of the table.

use countersign_tests::cluster::Sum;

/// What came of one fault.
pub(crate) struct Row {
    pub(crate) fault: &'static str,
    pub(crate) sum: Sum,
    /// Something may have been lost, as the database promised no more.
    pub(crate) may_lose: bool,
    pub(crate) wrong: Vec<String>,
}

/// The names of the columns.
pub(crate) fn head() {
    println!("| fault | requests | lost | doubled | two ends | shown twice | away, s | what backends noticed |");
    println!("|---|--:|--:|--:|--:|--:|--:|---|");
}

impl Row {
    pub(crate) fn new(fault: &'static str, sum: Sum) -> Self {
        Self { fault, sum, may_lose: false, wrong: Vec::new() }
    }

    pub(crate) fn expect(mut self, holds: bool, what: impl Into<String>) -> Self {
        if !holds {
            self.wrong.push(what.into());
        }
        self
    }

    /// No backend is to notice.
    pub(crate) fn quiet(self) -> Self {
        let is_quiet = self.sum.noticed.keys().all(|what| what.starts_with("a wallet"));
        self.expect(is_quiet, "a backend noticed")
    }

    /// Whether it is as it should be.
    pub(crate) fn print(self) -> bool {
        let Self { fault, sum, may_lose, wrong } = self;
        let Sum { under_way, lost, doubled, contradicted, shown_twice, away, noticed, words, stories, .. } = sum;
        let noticed: Vec<_> = noticed.iter().map(|(what, times)| format!("{times} × {what}")).collect();
        let noticed = if noticed.is_empty() { "nothing".into() } else { noticed.join(", ") };
        println!(
            "| {fault} | {under_way} | {lost} | {doubled} | {contradicted} | {shown_twice} | {:.1} | {noticed} |",
            away.as_secs_f64()
        );
        for story in &stories {
            println!("  note: {fault}: {story}");
        }
        let is_well = (lost == 0 || may_lose) && doubled + contradicted + shown_twice == 0;
        if !is_well {
            for words in words.iter().take(20) {
                println!("  WRONG: {fault}: {words}");
            }
        }
        for wrong in &wrong {
            println!("  WRONG: {fault}: {wrong}");
        }
        is_well && wrong.is_empty()
    }
}

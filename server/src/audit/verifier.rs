//! Whether lines are one unbroken chain: pure, line by line.

use super::{
    chain::{Hash, Head},
    entry::TokenMark,
    journal::SIGN_ENTRIES,
    line::{Line, LineError, MAX_LINE_BYTES},
    signed_head::{KeySet, SignedHeadError, verify},
};
use crate::time::Timestamp;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// The most bytes that a crash may leave of one write: two batches' worth.
pub(super) const MAX_TORN_BYTES: u64 = 2 * MAX_LINE_BYTES as u64;

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Reason {
    /// It is no entry, and no entry behind it says that a crash has left it there.
    #[error(transparent)]
    Line(#[from] LineError),
    /// Entries are missing, stand twice, or in another order.
    #[error("entry {found} where {expected} has to be")]
    Order {
        /// The number that has to be there.
        expected: u64,
        /// The one that is.
        found: u64,
    },
    /// It does not follow the line before.
    #[error("it does not follow the entry before: its prev is not that one's hash")]
    Prev,
    /// A file begins otherwise than files do.
    #[error("a file has to begin with an entry `file`")]
    Beginning,
    /// The head's signature is of no use.
    #[error(transparent)]
    SignedHead(#[from] SignedHeadError),
    /// The server signs more often.
    #[error("more than {SIGN_ENTRIES} entries without a signed head")]
    Unsigned,
    /// A head that somebody has kept is that of another entry.
    #[error("another entry than the given head")]
    OtherHead,
}

/// What has been verified.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// How many entries there are.
    pub entries: u64,
    /// The number and time of the first.
    pub first: Option<(u64, Timestamp)>,
    /// Likewise of the last.
    pub last: Option<(u64, Timestamp)>,
    /// How many signed heads there are.
    pub heads: u64,
    /// The last of them: the entry it signs, when it did, and the thumbprint of the key.
    pub signed: Option<(u64, Timestamp, String)>,
    /// How many entries stand behind the last entry that is under a signature.
    pub unsigned: u64,
    /// How many writes a crash has cut off, as entries say.
    pub torn: u64,
    /// How many entries are missing, as entries say.
    pub lost: u64,
    /// The bytes at the end that are no whole line.
    pub torn_end: u64,
}

/// Lines that are no part of the chain so far.
struct Damage {
    line: u64,
    reason: Reason,
    bytes: u64,
    digest: Sha256,
    /// The last of them has no end, and so nothing can follow.
    is_cut_off: bool,
    lines: u64,
}

/// Takes one line after another.
#[derive(Default)]
pub(super) struct Verifier<'k> {
    keys: Option<&'k KeySet>,
    kept: Option<Head>,
    head: Option<Head>,
    report: Report,
    damage: Option<Damage>,
    line: u64,
    tokens: Vec<TokenMark>,
    log: String,
}

impl<'k> Verifier<'k> {
    pub(super) fn new(keys: Option<&'k KeySet>, kept: Option<Head>) -> Self {
        Self { keys, kept, ..Self::default() }
    }

    /// What follows is another file. What a crash has left can only be mended in the same.
    pub(super) fn begin_file(&mut self) -> Result<(), (u64, Reason)> {
        self.line = 0;
        self.damage.take().map_or(Ok(()), |damage| Err((damage.line, damage.reason)))
    }

    /// Takes the next line, with its line feed.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<(), (u64, Reason)> {
        self.line += 1;
        match (Line::parse(bytes).map_err(Reason::from).and_then(|line| self.check(line)), self.damage.take()) {
            (Ok(line), None) => self.note(&line).map_err(|reason| (self.line, reason)),
            (Ok(line), Some(damage)) if explains(&line, &damage) => {
                self.report.torn += 1;
                self.note(&line).map_err(|reason| (self.line, reason))
            }
            (Ok(_), Some(damage)) => Err((damage.line, damage.reason)),
            (Err(reason), damage) => self.extend(damage, reason, bytes),
        }
    }

    /// The end: what is there, or the first wrong line.
    pub(super) fn finish(mut self) -> Result<Report, (u64, Reason)> {
        match self.damage {
            Some(damage) if damage.is_cut_off && damage.lines == 1 => self.report.torn_end = damage.bytes,
            Some(damage) => return Err((damage.line, damage.reason)),
            None => {}
        }
        Ok(self.report)
    }

    /// What it takes to go on with the log: its head, its name, its tokens, and what is to be said of a write that was cut off.
    pub(super) fn resume(self) -> Resumed {
        let torn = self.damage.map(|mut damage| {
            if damage.is_cut_off {
                damage.bytes += 1;
                damage.digest.update(b"\n");
            }
            Torn { bytes: damage.bytes, sha256: digest(damage.digest), is_cut_off: damage.is_cut_off }
        });
        let Report { unsigned, .. } = self.report;
        Resumed { head: self.head.unwrap_or(Head::NONE), unsigned, log: self.log, tokens: self.tokens, torn }
    }

    fn extend(&mut self, damage: Option<Damage>, reason: Reason, bytes: &[u8]) -> Result<(), (u64, Reason)> {
        // Neither is left by a crash.
        let never = matches!(reason, Reason::Beginning | Reason::Line(LineError::TooLong));
        let mut damage = damage.unwrap_or_else(|| Damage {
            line: self.line,
            reason,
            bytes: 0,
            digest: Sha256::new(),
            is_cut_off: false,
            lines: 0,
        });
        damage.bytes += bytes.len() as u64;
        damage.lines += 1;
        damage.digest.update(bytes);
        damage.is_cut_off = !bytes.ends_with(b"\n");
        if never || damage.bytes > MAX_TORN_BYTES {
            return Err((damage.line, damage.reason));
        }
        self.damage = Some(damage);
        Ok(())
    }

    /// Whether the line follows.
    fn check(&self, line: Line) -> Result<Line, Reason> {
        if (self.line == 1) != (line.event == "file") {
            return Err(Reason::Beginning);
        }
        let Some(head) = self.head else {
            let is_first = line.seq != 1 || line.prev == Hash::ZERO;
            return if is_first { Ok(line) } else { Err(Reason::Prev) };
        };
        let expected = head.seq.saturating_add(1);
        if line.seq != expected {
            return Err(Reason::Order { expected, found: line.seq });
        }
        if line.prev == head.hash { Ok(line) } else { Err(Reason::Prev) }
    }

    fn note(&mut self, line: &Line) -> Result<(), Reason> {
        let before = self.head.replace(Head { seq: line.seq, hash: line.hash });
        if self.kept.is_some_and(|kept| kept.seq == line.seq && kept.hash != line.hash) {
            return Err(Reason::OtherHead);
        }
        let report = &mut self.report;
        report.entries += 1;
        report.first.get_or_insert((line.seq, line.time));
        report.last = Some((line.seq, line.time));
        report.unsigned += 1;
        if let Some(tokens) = line.field("tokens") {
            self.tokens = tokens.as_array().into_iter().flatten().filter_map(mark).collect();
        }
        match line.event.as_str() {
            "head" => {
                let jws = line.text("jws").ok_or(SignedHeadError::Malformed)?;
                let before = before.ok_or(SignedHeadError::OtherHead)?;
                let key_id = verify(jws, before, self.keys)?;
                report.heads += 1;
                report.signed = Some((before.seq, line.time, key_id));
                report.unsigned = 1;
            }
            "gap" => report.lost = report.lost.saturating_add(line.count("lost").unwrap_or(0)),
            "file" => line.text("log").unwrap_or_default().clone_into(&mut self.log),
            // Whatever else is in the chain, a later version's entries included.
            _ => {}
        }
        if self.keys.is_some() && report.unsigned > SIGN_ENTRIES { Err(Reason::Unsigned) } else { Ok(()) }
    }
}

/// What a log is gone on with.
#[derive(Debug)]
pub(super) struct Resumed {
    pub(super) head: Head,
    pub(super) unsigned: u64,
    pub(super) log: String,
    pub(super) tokens: Vec<TokenMark>,
    pub(super) torn: Option<Torn>,
}

/// A write that was cut off.
#[derive(Debug)]
pub(super) struct Torn {
    /// Its bytes, the line feed included that is put behind them.
    pub(super) bytes: u64,
    pub(super) sha256: String,
    /// That line feed has to be put there.
    pub(super) is_cut_off: bool,
}

fn mark(token: &Value) -> Option<TokenMark> {
    serde_json::from_value(token.clone()).ok()
}

fn explains(line: &Line, damage: &Damage) -> bool {
    line.event == "torn"
        && line.count("bytes") == Some(damage.bytes)
        && line.text("sha256") == Some(&digest(damage.digest.clone()))
}

fn digest(digest: Sha256) -> String {
    Hash::from(<[u8; 32]>::from(digest.finalize())).to_string()
}

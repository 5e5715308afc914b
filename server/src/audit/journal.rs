//! The lines to be written, and when the head is to be signed: told the time, and knows no file.

use super::{
    chain::Head,
    entry::{Entry, TokenMark},
    signed_head::sign,
};
use crate::{store::ServerKey, time::Timestamp};
use std::{mem, sync::Arc, time::Duration};

/// The most entries without a signed head.
pub(super) const SIGN_ENTRIES: u64 = 1000;

/// The longest that an entry stands there without one.
pub(super) const SIGN_AFTER: Duration = Duration::from_secs(60);

const FORMAT: u32 = 1;

/// A log that goes on.
pub(super) struct Journal {
    key: Arc<ServerKey>,
    head: Head,
    /// Entries that no signature covers, and since when.
    unsigned: u64,
    unsigned_since: Option<Timestamp>,
    lines: String,
    log: String,
}

impl Journal {
    pub(super) fn new(key: Arc<ServerKey>, head: Head, unsigned: u64, log: String) -> Self {
        Self { key, head, unsigned, unsigned_since: None, lines: String::new(), log }
    }

    pub(super) fn head(&self) -> Head {
        self.head
    }

    /// What has been added since this was called last.
    pub(super) fn take_lines(&mut self) -> String {
        mem::take(&mut self.lines)
    }

    /// Adds an entry, and a signed head where there are many without.
    pub(super) fn add(&mut self, at: Timestamp, entry: &Entry<'_>) {
        // Nothing in it has a form that JSON lacks.
        if let Some(body) = entry.body() {
            self.append(at, &body);
        }
    }

    /// Likewise, of an entry that is JSON already.
    pub(super) fn append(&mut self, at: Timestamp, body: &str) {
        self.push(at, body);
        // The head's own entry is one more.
        if self.unsigned >= SIGN_ENTRIES - 1 {
            self.sign(at);
        }
    }

    /// Begins a file, the first or the one after another, with the tokens that are known by now.
    pub(super) fn begin_file(&mut self, at: Timestamp, after: Option<&str>, tokens: &[TokenMark]) {
        let log = mem::take(&mut self.log);
        self.add(at, &Entry::File { format: FORMAT, log: &log, after, tokens });
        self.log = log;
    }

    /// Adds the head under the server's signature, unless there is nothing new.
    pub(super) fn sign(&mut self, at: Timestamp) {
        if self.unsigned <= 1 && self.unsigned_since.is_none() {
            return;
        }
        if let Some(jws) = sign(self.head, at, &self.key)
            && let Some(body) = (Entry::Head { jws: &jws }).body()
        {
            self.push(at, &body);
            self.unsigned = 1;
            self.unsigned_since = None;
        }
    }

    /// In how long the head is to be signed; none for not until something is added.
    pub(super) fn sign_in(&self, now: Timestamp) -> Option<Duration> {
        self.unsigned_since.map(|since| SIGN_AFTER.saturating_sub(now.since(since)))
    }

    fn push(&mut self, at: Timestamp, body: &str) {
        self.head.append(at, body, &mut self.lines);
        self.unsigned += 1;
        self.unsigned_since.get_or_insert(at);
    }
}

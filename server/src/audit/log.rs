//! The handle by which the server has entries made.

use super::{
    chain::Head,
    entry::{AdminAction, Entry, TokenMark},
    error::AuditError,
    files::LogFile,
    journal::Journal,
    line::MAX_LINE_BYTES,
    queue::Queue,
    verifier::Resumed,
    writer::Writer,
};
use crate::{random, store::ServerKey, time::Timestamp};
use serde::Deserialize;
use std::{
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

/// What becomes of new requests while the log cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFull {
    /// They are refused: nothing is signed that no entry tells of.
    #[default]
    Refuse,
    /// They are taken, and an entry says later how many are missing.
    Continue,
}

impl OnFull {
    fn as_str(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Continue => "continue",
        }
    }
}

/// Where the log is, and how large a file of it becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditConfig {
    /// The file that is written.
    pub path: PathBuf,
    /// In bytes; beyond it another file is begun.
    pub max_bytes: u64,
    /// What becomes of new requests while it cannot be written.
    pub on_full: OnFull,
}

/// An audit log that is open. Clones add to the same. Nobody who adds an entry waits for the disk.
#[derive(Clone)]
pub struct AuditLog(Arc<Inner>);

struct Inner {
    queue: Arc<Queue>,
    key: Arc<ServerKey>,
    on_full: OnFull,
    /// Those that are known by now, which the writer says again in each file.
    tokens: Arc<Mutex<Vec<TokenMark>>>,
}

impl AuditLog {
    /// Opens the log, or begins it, and goes on with it under `key`: says that the server starts, what a crash has left, and which of
    /// `tokens` are new or gone. Blocks.
    ///
    /// # Errors
    /// [`AuditError`], which names the file, and the line if one is wrong.
    pub fn open(config: &AuditConfig, key: Arc<ServerKey>, mut tokens: Vec<TokenMark>) -> Result<Self, AuditError> {
        tokens.sort();
        Self::check_tokens(&tokens)?;
        let failed = |source| AuditError::Io { path: config.path.clone(), source };
        let (mut file, resumed) = LogFile::open(&config.path)?;
        let known = resumed.tokens.clone();
        if resumed.torn.as_ref().is_some_and(|torn| torn.is_cut_off) {
            file.write(b"\n").map_err(failed)?;
        }
        let journal = begin(&file, resumed, Arc::clone(&key));
        let tokens_known = Arc::new(Mutex::new(known));
        let queue = Arc::new(Queue::default());
        let log = Self(Arc::new(Inner {
            queue: Arc::clone(&queue),
            key,
            on_full: config.on_full,
            tokens: Arc::clone(&tokens_known),
        }));
        log.add(&Entry::Start {
            version: env!("CARGO_PKG_VERSION"),
            on_full: config.on_full.as_str(),
            key_id: log.0.key.key_id(),
            tokens: &tokens,
        });
        log.note_tokens(tokens);
        let writer = Writer { queue, journal, file, max_bytes: config.max_bytes, tokens: tokens_known };
        thread::Builder::new().name("audit".into()).spawn(move || writer.run()).map_err(failed)?;
        Ok(log)
    }

    /// Whether the log can say which tokens there are.
    ///
    /// # Errors
    /// [`AuditError::TooManyTokens`].
    pub fn check_tokens(tokens: &[TokenMark]) -> Result<(), AuditError> {
        let bytes = serde_json::to_string(tokens).map_or(usize::MAX, |json| json.len());
        if bytes > MAX_LINE_BYTES / 2 { Err(AuditError::TooManyTokens) } else { Ok(()) }
    }

    /// The key that signs the head.
    pub fn key(&self) -> &ServerKey {
        &self.0.key
    }

    /// Says that the server takes requests, as which node of several.
    pub fn serving(&self, node: Option<String>) {
        self.add(&Entry::Serving { node });
    }

    /// Says what an administrator did.
    pub fn acted(&self, action: AdminAction<'_>) {
        self.add(&Entry::Admin(action));
    }

    /// Says that these settings were read again, and which tokens are new or gone.
    pub fn reloaded(&self, changed: &[&str], mut tokens: Vec<TokenMark>) {
        tokens.sort();
        self.add(&Entry::Reloaded { changed, tokens: &tokens });
        self.note_tokens(tokens);
    }

    /// Whether new requests are to be refused, since there would be no entry of them.
    pub fn refuses(&self) -> bool {
        self.0.on_full == OnFull::Refuse && !self.0.queue.keeps_up()
    }

    /// How many entries are missing since the start.
    pub fn lost(&self) -> u64 {
        self.0.queue.lost()
    }

    /// Says that the server stops, signs the head, and waits until all that is on disk, no longer than `time_limit`; false if it is not.
    /// Blocks. Whatever is added later is lost.
    pub fn stop(&self, time_limit: Duration) -> bool {
        self.0.queue.stop(Timestamp::of_the_system(), Entry::Stop.body().unwrap_or_default());
        self.0.queue.wait_stopped(time_limit)
    }

    pub(super) fn add(&self, entry: &Entry<'_>) {
        self.add_at(Timestamp::of_the_system(), entry);
    }

    pub(super) fn add_at(&self, at: Timestamp, entry: &Entry<'_>) {
        if let Some(body) = entry.body() {
            self.0.queue.push(at, body);
        }
    }

    fn note_tokens(&self, tokens: Vec<TokenMark>) {
        let mut known = self.0.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        for removed in known.iter().filter(|mark| tokens.binary_search(mark).is_err()) {
            self.add(&Entry::TokenRemoved(removed));
        }
        for added in tokens.iter().filter(|mark| !known.contains(mark)) {
            self.add(&Entry::TokenAdded(added));
        }
        *known = tokens;
    }
}

impl fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuditLog")
    }
}

/// The journal with what has to be said first.
fn begin(file: &LogFile, resumed: Resumed, key: Arc<ServerKey>) -> Journal {
    let now = Timestamp::of_the_system();
    let is_new = resumed.head == Head::NONE;
    let log = if is_new || resumed.log.is_empty() { hex::encode(random::bytes::<8>()) } else { resumed.log };
    let mut journal = Journal::new(key, resumed.head, resumed.unsigned, log);
    if file.bytes() == 0 {
        journal.begin_file(now, None, &resumed.tokens);
    }
    if let Some(torn) = resumed.torn {
        journal.add(now, &Entry::Torn { bytes: torn.bytes, sha256: torn.sha256 });
    }
    journal
}

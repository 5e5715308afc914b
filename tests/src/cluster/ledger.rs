//! What everybody was told, and whether it all agrees.

use countersign_protocol::{CancelCause, WireName as _};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::sync::watch;

/// How much later than an end is told somewhere, a prompt may come up elsewhere: news take their time.
const NEWS: Duration = Duration::from_millis(500);
/// How much earlier a prompt may be taken back than the end that stands: clocks are read at different places.
const SLACK_MS: u64 = 50;

/// An end that somebody was told.
#[derive(Debug, Clone)]
struct Telling {
    by: String,
    end: String,
    at: Instant,
}

#[derive(Debug)]
struct Entry {
    is_durable: bool,
    /// A backend was told that it is taken.
    is_taken: bool,
    begun: Instant,
    done: Option<Instant>,
    requests: BTreeMap<String, Instant>,
    tellings: Vec<Telling>,
    /// When the server says it ended, in milliseconds of the system's clock.
    ended_ms: Option<u64>,
    /// What wallets and backends had to do with it, and when.
    history: Vec<(Instant, String)>,
    /// When wallets were told that it is over, likewise.
    taken_back: Vec<(String, u64)>,
}

#[derive(Debug, Default)]
struct Book {
    intents: BTreeMap<String, Entry>,
    wish_of: BTreeMap<String, String>,
    shown: BTreeSet<(String, String)>,
    lost: BTreeSet<String>,
    doubled: BTreeSet<String>,
    contradicted: BTreeSet<String>,
    shown_twice: BTreeSet<String>,
    words: Vec<String>,
    stories: Vec<String>,
    noticed: BTreeMap<String, usize>,
    away: Duration,
    returns: Vec<Instant>,
    /// Since when what was told before may not stand any more.
    forgetful_since: Option<Instant>,
}

/// Kept by everybody together.
#[derive(Debug)]
pub struct Ledger {
    book: Mutex<Book>,
    done: watch::Sender<usize>,
    connected: watch::Sender<usize>,
}

/// What it comes to.
#[derive(Debug, Default)]
pub struct Sum {
    /// Everything that was asked.
    pub asked: usize,
    /// Those that were open at a time between two moments.
    pub under_way: usize,
    /// Those that were taken and are gone, or have no end.
    pub lost: usize,
    /// Those that became two requests.
    pub doubled: usize,
    /// Those of which different ends were told.
    pub contradicted: usize,
    /// Those that a human was shown though they were over, or again.
    pub shown_twice: usize,
    /// The longest that a wallet was away.
    pub away: Duration,
    /// The most wallets that came back within a second.
    pub most_returns: usize,
    /// What else backends were told, and how often.
    pub noticed: BTreeMap<String, usize>,
    /// What was wrong, in words.
    pub words: Vec<String>,
    /// What is known of durable requests that ended without an answer.
    pub stories: Vec<String>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self { book: Mutex::default(), done: watch::Sender::new(0), connected: watch::Sender::new(0) }
    }
}

impl Ledger {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap()
    }

    /// Waits until so many more intents are done with.
    pub async fn more(&self, more: usize) {
        let mut done = self.done.subscribe();
        let wanted = *done.borrow_and_update() + more;
        crate::within("requests to end", done.wait_for(|done| *done >= wanted)).await.unwrap();
    }

    /// A backend begins.
    pub fn begin(&self, intent: &str, is_durable: bool) {
        let entry = Entry {
            is_durable,
            is_taken: false,
            begun: Instant::now(),
            done: None,
            requests: BTreeMap::new(),
            tellings: Vec::new(),
            ended_ms: None,
            history: Vec::new(),
            taken_back: Vec::new(),
        };
        self.book().intents.insert(intent.into(), entry);
    }

    /// A backend is through with it, whatever came of it.
    pub fn finish(&self, intent: &str) {
        if let Some(entry) = self.book().intents.get_mut(intent) {
            entry.done = Some(Instant::now());
        }
        self.done.send_modify(|done| *done += 1);
    }

    /// A backend was told that its intent is this request, and is taken.
    pub fn taken(&self, intent: &str, request: &str) {
        let mut book = self.book();
        book.is(intent, request);
        if let Some(entry) = book.intents.get_mut(intent) {
            entry.is_taken = true;
        }
    }

    /// A wallet was asked.
    pub fn delivered(&self, device: &str, intent: &str, request: &str) {
        self.book().is(intent, request);
        self.happens(intent, format!("{device} is asked"));
    }

    /// Something happens to an intent that may explain what becomes of it.
    pub fn happens(&self, intent: &str, what: String) {
        if let Some(entry) = self.book().intents.get_mut(intent) {
            entry.history.push((Instant::now(), what));
        }
    }

    /// A request ended without the answer that its human has given, or would have: what is known of it.
    pub fn noticed_of(&self, intent: &str, what: String) {
        let mut book = self.book();
        if let Some(entry) = book.intents.get(intent) {
            let requests: Vec<_> = entry.requests.keys().collect();
            let mut story = format!("{intent} {requests:?}: {what}");
            for (at, what) in &entry.history {
                story.push_str(&format!("; {} ms {what}", at.duration_since(entry.begun).as_millis()));
            }
            book.stories.push(story);
        }
        drop(book);
        self.noticed(what);
    }

    /// A backend was shown a request; whether it has ended.
    pub fn seen(&self, by: &str, intent: &str, resource: &Value) -> bool {
        let state = resource["state"].as_str().unwrap_or_default();
        if let Some(request) = resource["request_id"].as_str() {
            self.book().is(intent, request);
        }
        if !matches!(state, "signed" | "rejected" | "expired" | "cancelled") {
            return false;
        }
        self.told(by, intent, state, resource["times"]["ended_ms"].as_u64());
        true
    }

    /// Somebody was told an end.
    pub fn told(&self, by: &str, intent: &str, end: &str, ended_ms: Option<u64>) {
        let mut book = self.book();
        let forgetful_since = book.forgetful_since;
        let Some(entry) = book.intents.get_mut(intent) else { return };
        entry.ended_ms = ended_ms.or(entry.ended_ms);
        let telling = Telling { by: by.into(), end: end.into(), at: Instant::now() };
        let earlier = entry.tellings.iter().find(|earlier| earlier.end != end).cloned();
        if !entry.tellings.iter().any(|earlier| earlier.by == by && earlier.end == end) {
            entry.tellings.push(telling);
        }
        if let Some(Telling { by: first, end: before, at }) = earlier {
            let requests: Vec<_> = entry.requests.keys().cloned().collect();
            let words = format!("{intent} {requests:?}: {first} was told {before}, {by} {end}");
            if forgetful_since.is_some_and(|since| at < since) {
                book.lost.insert(intent.into());
            } else {
                book.contradicted.insert(intent.into());
                book.words.push(words);
            }
        }
    }

    /// A wallet was told that a request it asks about is over.
    pub fn taken_back(&self, by: &str, intent: &str, cause: CancelCause) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let mut book = self.book();
        let Some(entry) = book.intents.get_mut(intent) else { return };
        entry.taken_back.push((format!("{by} ({})", cause.as_str()), u64::try_from(now).unwrap_or(u64::MAX)));
        drop(book);
        if cause == CancelCause::Cancelled {
            self.told(by, intent, "cancelled", None);
        }
    }

    /// A wallet that has answered was told that nobody knows the request.
    pub fn unknown(&self, intent: &str) {
        let is_durable = self.book().intents.get(intent).is_some_and(|entry| entry.is_durable);
        self.noticed(if is_durable { "a wallet told unknown of a durable request" } else { "a wallet told unknown" });
    }

    /// A human was shown a request, which had come at `came`.
    pub fn shown(&self, device: &str, intent: &str, request: &str, came: Instant) {
        let mut book = self.book();
        let forgetful_since = book.forgetful_since;
        let is_again = !book.shown.insert((device.into(), request.into()));
        let Some(entry) = book.intents.get(intent) else { return };
        let is_over = entry.tellings.iter().find(|told| told.at + NEWS < came);
        // What the database has forgotten is asked again, and rightly so.
        let is_forgotten = forgetful_since.is_some_and(|since| is_over.is_some_and(|told| told.at < since));
        let words = match is_over {
            _ if is_again => format!("{intent} {request}: {device} was shown it again"),
            Some(told) => format!("{intent} {request}: {device} was shown it after {} was told {}", told.by, told.end),
            None => return,
        };
        if is_forgotten {
            book.lost.insert(intent.into());
        } else {
            book.shown_twice.insert(intent.into());
            book.words.push(words);
        }
    }

    /// A request that was taken is not there any more, or comes to no end.
    pub fn lost(&self, intent: &str, how: &str) {
        let mut book = self.book();
        let requests: Vec<_> =
            book.intents.get(intent).map(|entry| entry.requests.keys().cloned().collect()).unwrap_or_default();
        if book.lost.insert(intent.into()) {
            book.words.push(format!("{intent} {requests:?}: {how}"));
        }
    }

    /// Something that must never be.
    pub fn wrong(&self, intent: &str, what: &str) {
        let mut book = self.book();
        book.contradicted.insert(intent.into());
        book.words.push(format!("{intent}: {what}"));
    }

    /// A backend was told something other than what its human did.
    pub fn noticed(&self, what: impl Into<String>) {
        *self.book().noticed.entry(what.into()).or_default() += 1;
    }

    /// A wallet is connected for the first time.
    pub fn has_come(&self) {
        self.connected.send_modify(|connected| *connected += 1);
    }

    /// Waits until so many are.
    pub async fn wallets(&self, wanted: usize) {
        let mut connected = self.connected.subscribe();
        crate::within("wallets", connected.wait_for(|connected| *connected >= wanted)).await.unwrap();
    }

    /// A wallet is connected again after so long.
    pub fn is_back(&self, after: Duration) {
        let mut book = self.book();
        book.away = book.away.max(after);
        book.returns.push(Instant::now());
    }

    /// From now on counts how long wallets are away.
    pub fn watch_wallets(&self) {
        let mut book = self.book();
        book.away = Duration::ZERO;
        book.returns.clear();
    }

    /// From now on what was told before may not stand any more: a database without the last commits has taken over.
    pub fn forgets(&self) {
        self.book().forgetful_since = Some(Instant::now());
    }

    /// All durable requests that were taken, each with its intent.
    pub fn taken_requests(&self) -> Vec<(String, String)> {
        let book = self.book();
        let taken = book.intents.iter().filter(|(name, entry)| entry.is_taken && !book.lost.contains(*name));
        taken.flat_map(|(name, entry)| entry.requests.keys().map(move |id| (name.clone(), id.clone()))).collect()
    }

    /// What it comes to, with what was open between two moments.
    pub fn sum(&self, from: Instant, until: Instant) -> Sum {
        let mut book = self.book();
        book.check_what_was_taken_back();
        let is_under_way = |entry: &&Entry| entry.begun <= until && entry.done.is_none_or(|done| done >= from);
        Sum {
            asked: book.intents.len(),
            under_way: book.intents.values().filter(is_under_way).count(),
            lost: book.lost.len(),
            doubled: book.doubled.len(),
            contradicted: book.contradicted.len(),
            shown_twice: book.shown_twice.len(),
            away: book.away,
            most_returns: most_within_a_second(&book.returns),
            noticed: book.noticed.clone(),
            words: book.words.clone(),
            stories: book.stories.clone(),
        }
    }
}

impl Book {
    fn is(&mut self, intent: &str, request: &str) {
        if let Some(other) = self.wish_of.insert(request.into(), intent.into())
            && other != intent
        {
            self.doubled.insert(intent.into());
            self.words.push(format!("{request} is {other} and {intent}"));
        }
        let forgetful_since = self.forgetful_since;
        let Some(entry) = self.intents.get_mut(intent) else { return };
        let now = Instant::now();
        entry.requests.entry(request.into()).or_insert(now);
        if entry.requests.len() > 1 {
            let words = format!("{intent} has become {:?}", entry.requests.keys());
            if forgetful_since.is_some_and(|since| entry.requests.values().any(|told| *told < since)) {
                self.lost.insert(intent.into());
            } else if self.doubled.insert(intent.into()) {
                self.words.push(words);
            }
        }
    }

    /// Nobody may be told that something is over which then ends later.
    fn check_what_was_taken_back(&mut self) {
        if self.forgetful_since.is_some() {
            return;
        }
        for (name, entry) in self.intents.iter().filter(|(_, entry)| entry.is_durable) {
            let Some(ended_ms) = entry.ended_ms else { continue };
            for (by, at_ms) in entry.taken_back.iter().filter(|(_, at_ms)| at_ms + SLACK_MS < ended_ms) {
                if self.contradicted.insert(name.clone()) {
                    let requests: Vec<_> = entry.requests.keys().collect();
                    let early = ended_ms - at_ms;
                    let words = format!("{name} {requests:?}: {by} had it taken back {early} ms before it ended");
                    self.words.push(words);
                }
            }
        }
    }
}

fn most_within_a_second(at: &[Instant]) -> usize {
    let mut most = 0;
    let mut first = 0;
    for (place, last) in at.iter().enumerate() {
        while last.duration_since(at[first]) >= Duration::from_secs(1) {
            first += 1;
        }
        most = most.max(place + 1 - first);
    }
    most
}

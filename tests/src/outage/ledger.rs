//! What everybody was told, and whether it all agrees.

use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard},
};

/// One thing a backend wanted signed.
#[derive(Debug, Default)]
struct Wish {
    /// The request the server has made of it. More than one is one too many.
    requests: BTreeSet<String>,
    end: Option<(String, Value)>,
}

#[derive(Debug, Default)]
struct Book {
    wishes: BTreeMap<String, Wish>,
    /// Which requests each message was put to wallets under.
    messages: BTreeMap<String, BTreeSet<String>>,
    prompts: BTreeMap<String, u32>,
    faults: Vec<String>,
    lost: BTreeSet<String>,
    redelivered: u64,
}

/// Kept by everybody together.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<Book>);

/// The sum of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Sum {
    /// Requests that a backend was told are taken.
    pub accepted: usize,
    /// Those whose end it was told.
    pub ended: usize,
    /// Of those, with a signature.
    pub signed: usize,
    /// Requests that a restarted server did not know any more, or that changed their end.
    pub lost: usize,
    /// Wishes that became two requests, or requests that prompted somebody twice.
    pub doubled: usize,
    /// Requests that wallets got again.
    pub redelivered: u64,
}

impl Ledger {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap()
    }

    /// A backend was told that its wish is this request.
    pub fn accepted(&self, wish: &str, request: &str) {
        self.book().wishes.entry(wish.into()).or_default().requests.insert(request.into());
    }

    /// A backend looked, and was told this.
    pub fn seen(&self, wish: &str, status: u16, resource: &Value) {
        let mut book = self.book();
        if status == 404 {
            book.lost.insert(wish.into());
            book.faults.push(format!("{wish}: forgotten"));
            return;
        }
        let state = resource["state"].as_str().unwrap_or_default();
        if status != 200 || !matches!(state, "signed" | "rejected" | "expired" | "cancelled") {
            return;
        }
        let end = (state.to_owned(), resource["signature"].clone());
        let known = book.wishes.entry(wish.into()).or_default().end.get_or_insert_with(|| end.clone()).clone();
        if known != end {
            book.lost.insert(wish.into());
            book.faults.push(format!("{wish}: ended as {known:?}, and then as {end:?}"));
        }
    }

    /// A wallet got a request.
    pub fn delivered(&self, request: &str, message: &str, attempt: u32) {
        let mut book = self.book();
        book.messages.entry(message.into()).or_default().insert(request.into());
        book.redelivered += u64::from(attempt > 1);
    }

    /// A human was asked.
    pub fn prompted(&self, request: &str) {
        *self.book().prompts.entry(request.into()).or_default() += 1;
    }

    /// The requests whose end nobody has been told yet, each with its wish.
    pub fn open(&self) -> Vec<(String, String)> {
        let book = self.book();
        let open = book.wishes.iter().filter(|(_, wish)| wish.end.is_none());
        open.flat_map(|(name, wish)| wish.requests.iter().map(|request| (name.clone(), request.clone()))).collect()
    }

    /// All requests, each with its wish.
    pub fn all(&self) -> Vec<(String, String)> {
        let book = self.book();
        let all = book.wishes.iter();
        all.flat_map(|(name, wish)| wish.requests.iter().map(|request| (name.clone(), request.clone()))).collect()
    }

    /// The requests whose end somebody was told, each with that: its state and its signature.
    pub fn ended(&self) -> Vec<(String, (String, Value))> {
        let book = self.book();
        let ended = book.wishes.values().filter_map(|wish| Some((wish.requests.first()?, wish.end.as_ref()?)));
        ended.map(|(request, end)| (request.clone(), end.clone())).collect()
    }

    /// What it comes to.
    pub fn sum(&self) -> Sum {
        let book = self.book();
        let ended = book.wishes.values().filter_map(|wish| wish.end.as_ref());
        Sum {
            accepted: book.wishes.values().filter(|wish| !wish.requests.is_empty()).count(),
            ended: ended.clone().count(),
            signed: ended.filter(|(state, _)| state == "signed").count(),
            lost: book.lost.len(),
            doubled: book.wishes.values().filter(|wish| wish.requests.len() > 1).count()
                + book.messages.values().filter(|requests| requests.len() > 1).count()
                + book.prompts.values().filter(|prompts| **prompts > 1).count(),
            redelivered: book.redelivered,
        }
    }

    /// What was wrong, in words.
    pub fn faults(&self) -> Vec<String> {
        self.book().faults.clone()
    }
}

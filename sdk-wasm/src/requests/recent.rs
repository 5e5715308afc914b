//! A bounded memory of requests that nobody is asked about any more, so that a repetition prompts nobody again.

use crate::prelude::*;
use crate::{
    record::{Answer, Contents},
    time::Timestamp,
};
use countersign_protocol::{RequestId, SignRequest};

/// How many requests are remembered.
pub(crate) const MAX_RECENT: usize = 256;

/// What is remembered of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Past {
    /// Its owner was asked, and the prompt is gone without a decision.
    Shown(Contents),
    /// It was answered. A request that could not be read was refused and has no contents.
    Answered { answer: Answer, contents: Option<Contents> },
    /// It ended without an answer.
    Over,
}

/// What a remembered request turns out to be when it comes again.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Recall {
    /// Its owner is to be asked again: there was never a decision.
    Resume,
    /// Under the same id, something else than was shown.
    Replaced,
    /// This is the answer to send again.
    AnswerAgain(Answer),
    /// Answered, but now with another message than was signed.
    Changed,
    /// Over without an answer.
    Over,
}

impl Past {
    pub(crate) fn recall(&self, request: &SignRequest) -> Recall {
        let contents = Contents::of(request);
        match self {
            Self::Shown(shown) if *shown == contents => Recall::Resume,
            Self::Shown(_) => Recall::Replaced,
            // What was declined stays so, whatever it says now.
            Self::Answered { answer: answer @ Answer::Rejected { .. }, .. } => Recall::AnswerAgain(answer.clone()),
            Self::Answered { answer, contents: shown } if shown.as_ref() == Some(&contents) => {
                Recall::AnswerAgain(answer.clone())
            }
            Self::Answered { .. } => Recall::Changed,
            Self::Over => Recall::Over,
        }
    }
}

#[derive(Debug)]
struct Entry {
    id: RequestId,
    forget_at: Timestamp,
    past: Past,
}

/// The newest [`MAX_RECENT`] requests, each until its time is over.
#[derive(Debug, Default)]
pub(crate) struct Recent(Vec<Entry>);

impl Recent {
    pub(crate) fn find(&self, id: RequestId) -> Option<&Past> {
        self.0.iter().find(|entry| entry.id == id).map(|entry| &entry.past)
    }

    /// Remembers a request in place of what was known of it; answers the one that had to make room, if it was stored.
    #[must_use]
    pub(crate) fn remember(&mut self, id: RequestId, forget_at: Timestamp, past: Past) -> Option<RequestId> {
        self.take(id);
        let evicted = (self.0.len() == MAX_RECENT).then(|| self.0.remove(0));
        self.0.push(Entry { id, forget_at, past });
        evicted.filter(Entry::is_stored).map(|entry| entry.id)
    }

    pub(crate) fn take(&mut self, id: RequestId) -> Option<Past> {
        let at = self.0.iter().position(|entry| entry.id == id)?;
        Some(self.0.remove(at).past)
    }

    /// Forgets those whose time is over, and answers which of them were stored.
    pub(crate) fn expire(&mut self, now: Timestamp) -> Vec<RequestId> {
        let due =
            self.0.iter().filter(|entry| entry.forget_at <= now && entry.is_stored()).map(|entry| entry.id).collect();
        self.0.retain(|entry| entry.forget_at > now);
        due
    }
}

impl Entry {
    /// Whether a store knows it too, if there is one.
    fn is_stored(&self) -> bool {
        match self.past {
            Past::Shown(_) | Past::Answered { contents: Some(_), .. } | Past::Over => true,
            Past::Answered { contents: None, .. } => false,
        }
    }
}

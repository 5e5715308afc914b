//! Long lists, a page at a time.

use super::path::Parameters;
use serde::Serialize;
use std::{fmt::Display, str::FromStr};

const DEFAULT_LIMIT: usize = 100;
const MOST: usize = 1000;

/// Which part of a list is wanted: what comes after an id, in the order of the ids, which are random. Whatever is there all the time that it
/// takes to get all pages is in one of them, once.
#[derive(Debug)]
pub(super) struct Part<I> {
    pub(super) after: Option<I>,
    pub(super) limit: usize,
}

impl<I: FromStr<Err: Display>> Part<I> {
    pub(super) fn take(parameters: &mut Parameters) -> Self {
        let limit = parameters.take_within("limit", 1..=MOST).unwrap_or(DEFAULT_LIMIT);
        Self { after: parameters.take("cursor"), limit }
    }
}

/// Where the next page begins; none after the last one.
#[derive(Debug, Serialize)]
pub(super) struct Next<I> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_cursor: Option<I>,
}

//! Long lists, a page at a time.

use super::path::Parameters;
use crate::http::api::Problem;
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
    pub(super) fn take(parameters: &mut Parameters) -> Result<Self, Problem> {
        let limit = parameters.take("limit")?.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MOST).contains(&limit) {
            return Err(Problem::malformed(format!("limit has to be from 1 to {MOST}")));
        }
        Ok(Self { after: parameters.take("cursor")?, limit })
    }
}

/// Where the next page begins; none after the last one.
#[derive(Debug, Serialize)]
pub(super) struct Next<I> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_cursor: Option<I>,
}

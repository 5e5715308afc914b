//! The closed lists of names on the wire.

use crate::prelude::*;
use thiserror::Error;

/// A text that is none of a list of names.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("none of {0}")]
pub struct WireNameError(Box<str>);

/// An enum of which each value has one name on the wire.
pub trait WireName: Copy + 'static {
    /// Every value that can be read.
    const ALL: &'static [Self];

    /// The name as it stands on the wire.
    fn as_str(self) -> &'static str;

    /// The value of a name.
    ///
    /// # Errors
    /// [`WireNameError`], which lists the names there are.
    fn from_name(name: &str) -> Result<Self, WireNameError> {
        let nth = |at: usize| Self::ALL.get(at).map(|value| value.as_str());
        match position(name, &nth).and_then(|at| Self::ALL.get(at)) {
            Some(value) => Ok(*value),
            None => Err(none_of(&nth)),
        }
    }
}

/// Where a name stands in a list.
fn position(name: &str, nth: &dyn Fn(usize) -> Option<&'static str>) -> Option<usize> {
    (0..).map_while(|at| Some((at, nth(at)?))).find(|(_, known)| *known == name).map(|(at, _)| at)
}

fn none_of(nth: &dyn Fn(usize) -> Option<&'static str>) -> WireNameError {
    // Not `join`, which is four times the code: wallets download this.
    let mut names = String::new();
    for name in (0..).map_while(nth) {
        names.push_str(if names.is_empty() { "" } else { ", " });
        names.push_str(name);
    }
    WireNameError(names.into())
}

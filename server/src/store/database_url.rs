//! Where a database is, which nobody is shown: it has a password.

use serde::Deserialize;
use std::{convert::Infallible, fmt, str::FromStr};

/// Where the database is, with all that it takes to get in. `Debug` shows nothing of it, and neither does any error.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct DatabaseUrl(pub(super) Box<str>);

/// Any text is taken: what is wrong with it is said later, by who does not quote it.
impl FromStr for DatabaseUrl {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.into()))
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DatabaseUrl(…)")
    }
}

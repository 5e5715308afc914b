//! Whose a request is, whatever they are called.

use countersign_protocol::{RequesterName, TextError};
use std::{fmt, str::FromStr, sync::Arc};

/// Names whoever asks, for good: requests, idempotency keys and shares belong to it. What wallets show is the [`RequesterName`], which may
/// change. Where nobody gives one, the name is the id too. 1 to 64 bytes, of what a name may have. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequesterId(Arc<str>);

impl RequesterId {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&RequesterName> for RequesterId {
    fn from(name: &RequesterName) -> Self {
        Self(name.as_str().into())
    }
}

impl FromStr for RequesterId {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        Ok(Self::from(&text.parse::<RequesterName>()?))
    }
}

/// It may be a name, and those stand in no log.
impl fmt::Debug for RequesterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequesterId({} bytes)", self.0.len())
    }
}

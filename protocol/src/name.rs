//! The closed lists of names on the wire.

use thiserror::Error;

/// A text that is none of a list of names.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("none of {0}")]
pub struct NameError(Box<str>);

/// An enum of which each value has one name on the wire.
pub trait Name: Copy + 'static {
    /// Every value that can be read.
    const ALL: &'static [Self];

    /// The name as it stands on the wire.
    fn as_str(self) -> &'static str;

    /// The value of a name.
    ///
    /// # Errors
    /// [`NameError`], which lists the names there are.
    fn from_name(name: &str) -> Result<Self, NameError> {
        let found = Self::ALL.iter().find(|value| value.as_str() == name);
        found.copied().ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|value| value.as_str()).collect();
            NameError(names.join(", ").into())
        })
    }
}

//! What a requester wants to find beside its request again.

use std::{collections::BTreeMap, fmt, sync::Arc};
use thiserror::Error;

/// The most values.
const MAX_VALUES: usize = 16;
/// The longest name of a value, in bytes.
const MAX_NAME_BYTES: usize = 40;
/// The longest value, in bytes.
const MAX_VALUE_BYTES: usize = 256;
/// The most of names and values together, in bytes.
const MAX_BYTES: usize = 2048;

/// Why something is no metadata. Names are quoted where they could be names, values never.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MetadataError {
    /// Too many values.
    #[error("there are at most {limit} values, and these are more")]
    TooMany {
        /// The most there may be.
        limit: usize,
    },
    /// A name that is none.
    #[error("a name is 1 to {MAX_NAME_BYTES} characters of A-Z, a-z, 0-9, _, . and -")]
    Name,
    /// A name that is there already.
    #[error("{name:?} is there twice")]
    Twice {
        /// The name.
        name: String,
    },
    /// A value that is too long.
    #[error("{name:?} is at most {limit} bytes, and this is {found}")]
    ValueTooLong {
        /// Its name.
        name: String,
        /// The most bytes it may have.
        limit: usize,
        /// The bytes it has.
        found: usize,
    },
    /// Too much in all.
    #[error("names and values are at most {limit} bytes together, and these are more")]
    TooLong {
        /// The most bytes there may be.
        limit: usize,
    },
}

/// Values by their names, kept with a request and shown with it to its requester: at most 16, their names 1 to 40 characters of
/// `A-Za-z0-9_.-`, each value at most 256 bytes of UTF-8, all together at most 2048 bytes. No wallet is shown them. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Metadata(Arc<BTreeMap<String, String>>);

impl Metadata {
    /// From names and values, in whatever order.
    ///
    /// # Errors
    /// [`MetadataError`], which says what there is too much of.
    pub fn new<N, V>(values: impl IntoIterator<Item = (N, V)>) -> Result<Self, MetadataError>
    where
        N: Into<String>,
        V: Into<String>,
    {
        let (mut all, mut bytes) = (BTreeMap::new(), 0);
        for (name, value) in values {
            if all.len() == MAX_VALUES {
                return Err(MetadataError::TooMany { limit: MAX_VALUES });
            }
            let (name, value) = (name.into(), value.into());
            if !is_name(&name) {
                return Err(MetadataError::Name);
            }
            if all.contains_key(&name) {
                return Err(MetadataError::Twice { name });
            }
            if value.len() > MAX_VALUE_BYTES {
                return Err(MetadataError::ValueTooLong { name, limit: MAX_VALUE_BYTES, found: value.len() });
            }
            bytes += name.len() + value.len();
            if bytes > MAX_BYTES {
                return Err(MetadataError::TooLong { limit: MAX_BYTES });
            }
            all.insert(name, value);
        }
        Ok(Self(Arc::new(all)))
    }

    /// Names and values, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Of names and values together.
    pub(crate) fn bytes(&self) -> usize {
        self.iter().map(|(name, value)| name.len() + value.len()).sum()
    }
}

/// Whether this may be the name of a value.
pub(crate) fn is_name(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    (1..=MAX_NAME_BYTES).contains(&text.len()) && text.bytes().all(is_allowed)
}

/// It stands in no log.
impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Metadata({} values, {} bytes)", self.0.len(), self.bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[(&str, &str)]) -> Result<Metadata, MetadataError> {
        Metadata::new(values.iter().copied())
    }

    #[test]
    fn the_order_of_the_values_is_nothing() {
        let metadata = of(&[("b", "2"), ("a", "1")]).unwrap();
        assert_eq!(metadata, of(&[("a", "1"), ("b", "2")]).unwrap());
        assert_eq!(metadata.iter().collect::<Vec<_>>(), [("a", "1"), ("b", "2")]);
        assert_eq!((metadata.bytes(), of(&[]).unwrap().is_empty()), (4, true));
    }

    #[test]
    fn each_limit_holds() {
        let name = "n".repeat(40);
        assert!(of(&[(&name, &"v".repeat(256)), ("A-z_0.9", "")]).is_ok());
        for name in ["", "a b", "é", "a/b", &"n".repeat(41)] {
            assert_eq!(of(&[(name, "")]), Err(MetadataError::Name), "{name:?}");
        }
        assert_eq!(of(&[("a", "1"), ("a", "1")]), Err(MetadataError::Twice { name: "a".into() }));
        let too_long = MetadataError::ValueTooLong { name: "a".into(), limit: 256, found: 257 };
        assert_eq!(of(&[("a", &"v".repeat(257))]), Err(too_long));
        let many = |count: usize, value: &str| Metadata::new((0..count).map(|n| (format!("n{n:02}"), value)));
        assert!(many(16, "").is_ok());
        assert_eq!(many(17, ""), Err(MetadataError::TooMany { limit: 16 }));
        assert!(many(16, &"v".repeat(125)).is_ok());
        assert_eq!(many(16, &"v".repeat(126)), Err(MetadataError::TooLong { limit: 2048 }));
    }

    #[test]
    fn debug_shows_no_content() {
        assert_eq!(format!("{:?}", of(&[("secret", "secret")]).unwrap()), "Metadata(1 values, 12 bytes)");
    }
}

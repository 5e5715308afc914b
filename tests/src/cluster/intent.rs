//! What a backend wants signed, and what the human is going to do about it. The message says both.

use std::time::Duration;

/// What the human does with a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Does {
    /// Approves.
    Sign,
    /// Declines, for the key.
    Decline,
    /// Declines on the first device, and approves on any other.
    NotHere,
    /// Looks at it for ever.
    Nothing,
}

const NAMES: [(Does, &str); 4] =
    [(Does::Sign, "sign"), (Does::Decline, "decline"), (Does::NotHere, "not-here"), (Does::Nothing, "nothing")];

/// One thing that a backend wants signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// Unlike that of any other.
    pub name: String,
    /// What the human does.
    pub does: Does,
    /// How long after having seen it.
    pub after: Duration,
}

impl Intent {
    /// The message to be signed.
    pub fn message(&self) -> String {
        let name = NAMES.iter().find(|(does, _)| *does == self.does).map_or("", |(_, name)| *name);
        format!("{} {name} {}", self.name, self.after.as_millis())
    }

    /// Back from that.
    pub fn read(message: &[u8]) -> Option<Self> {
        let mut words = std::str::from_utf8(message).ok()?.split(' ');
        let (name, does, after) = (words.next()?, words.next()?, words.next()?.parse().ok()?);
        let does = NAMES.iter().find(|(_, name)| *name == does)?.0;
        Some(Self { name: name.to_owned(), does, after: Duration::from_millis(after) })
    }
}

//! A signing key held in WebAssembly memory, overwritten when it is freed.

use countersign_protocol::{PublicKey, Signature};
use ed25519_dalek::{SECRET_KEY_LENGTH, Signer as _, SigningKey};
use zeroize::Zeroizing;

/// The 32 secret bytes a key is made of (RFC 8032 §5.1.5), overwritten when dropped.
pub type Seed = Zeroizing<[u8; SECRET_KEY_LENGTH]>;

/// A key, whose secret is gone once it is freed.
pub struct Key {
    public_key: PublicKey,
    secret: Option<SigningKey>,
}

impl Key {
    /// The key of a seed.
    pub fn from_seed(seed: &Seed) -> Self {
        let signing_key = SigningKey::from_bytes(seed);
        Self { public_key: PublicKey::of(&signing_key), secret: Some(signing_key) }
    }

    /// The public half, which outlives the secret.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// A copy of the secret; none once it is freed.
    pub fn seed(&self) -> Option<Seed> {
        Some(Zeroizing::new(self.secret.as_ref()?.to_bytes()))
    }

    /// Signs any bytes, for whoever holds the key itself; not once it is freed.
    pub fn sign(&self, bytes: &[u8]) -> Option<Signature> {
        Some(self.secret.as_ref()?.sign(bytes).to_bytes().into())
    }

    /// Overwrites the secret. Repetitions have no effect.
    pub fn free(&mut self) {
        self.secret = None;
    }
}

/// Shows the public key only.
impl core::fmt::Debug for Key {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("Key").field(&self.public_key).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_protocol::verify_bytes;

    fn key() -> Key {
        Key::from_seed(&Zeroizing::new([7; 32]))
    }

    #[test]
    fn a_seed_goes_in_and_comes_out() {
        assert_eq!(*key().seed().unwrap(), [7; 32]);
    }

    #[test]
    fn signs_what_its_public_key_verifies() {
        let signature = key().sign(b"hello").unwrap();
        assert_eq!(verify_bytes(b"hello", key().public_key(), &signature), Ok(()));
    }

    #[test]
    fn freed_once_its_secret_is_gone_and_its_public_key_is_not() {
        let (mut one, other) = (key(), key());
        one.free();
        one.free();
        assert_eq!(one.sign(b"hello"), None);
        assert_eq!(one.seed(), None);
        assert_eq!(one.public_key(), other.public_key());
        assert!(other.seed().is_some());
    }

    #[test]
    fn debug_shows_no_secret() {
        let shown = format!("{:?}", key());
        assert!(shown.starts_with("Key(PublicKey(") && !shown.contains('7'.to_string().repeat(3).as_str()), "{shown}");
    }
}

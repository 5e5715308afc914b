//! A signing key held in WebAssembly memory, overwritten when it is freed.

use crate::error::Error;
use alloc::rc::Rc;
use core::cell::RefCell;
use countersign_protocol::{PublicKey, Signable, Signature};
use ed25519_dalek::{SECRET_KEY_LENGTH, Signer as _, SigningKey};
use zeroize::Zeroizing;

/// The 32 secret bytes a key is made of (RFC 8032 §5.1.5), overwritten when dropped.
pub type Seed = Zeroizing<[u8; SECRET_KEY_LENGTH]>;

/// A key and everything that shares it. Freeing one handle frees the secret for all of them.
#[derive(Clone)]
pub struct Key {
    public_key: PublicKey,
    secret: Rc<RefCell<Option<SigningKey>>>,
}

impl Key {
    /// The key of a seed.
    pub fn from_seed(seed: &Seed) -> Self {
        let signing_key = SigningKey::from_bytes(seed);
        Self { public_key: PublicKey::of(&signing_key), secret: Rc::new(RefCell::new(Some(signing_key))) }
    }

    /// The public half, which outlives the secret.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// A copy of the secret.
    ///
    /// # Errors
    /// [`Error::KeyFreed`]
    pub fn seed(&self) -> Result<Seed, Error> {
        self.with(|key| Zeroizing::new(key.to_bytes()))
    }

    /// Signs what the protocol allows to be signed.
    ///
    /// # Errors
    /// [`Error::KeyFreed`]
    pub fn sign(&self, signable: Signable<'_>) -> Result<Signature, Error> {
        self.sign_bytes(&signable.to_bytes())
    }

    /// Signs any bytes, for whoever holds the key itself. What comes from a server goes through [`Key::sign`].
    ///
    /// # Errors
    /// [`Error::KeyFreed`]
    pub fn sign_bytes(&self, bytes: &[u8]) -> Result<Signature, Error> {
        self.with(|key| key.sign(bytes).to_bytes().into())
    }

    /// Overwrites the secret. Repetitions have no effect.
    pub fn free(&self) {
        self.secret.borrow_mut().take();
    }

    fn with<T>(&self, with: impl FnOnce(&SigningKey) -> T) -> Result<T, Error> {
        self.secret.borrow().as_ref().map(with).ok_or(Error::KeyFreed)
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
    use countersign_protocol::Message;

    fn key() -> Key {
        Key::from_seed(&Zeroizing::new([7; 32]))
    }

    #[test]
    fn a_seed_goes_in_and_comes_out() {
        assert_eq!(*key().seed().unwrap(), [7; 32]);
    }

    #[test]
    fn signs_what_its_public_key_verifies() {
        let message = Message::try_from(&b"hello"[..]).unwrap();
        let signature = key().sign(Signable::Message(&message)).unwrap();
        assert_eq!(Signable::Message(&message).verify(key().public_key(), &signature), Ok(()));
    }

    #[test]
    fn freed_once_it_is_gone_for_every_handle() {
        let (one, other) = (key(), key());
        let shared = one.clone();
        one.free();
        one.free();
        let message = Message::try_from(&b"hello"[..]).unwrap();
        assert_eq!(shared.sign(Signable::Message(&message)), Err(Error::KeyFreed));
        assert_eq!(shared.seed().unwrap_err(), Error::KeyFreed);
        assert_eq!(shared.public_key(), other.public_key());
        assert!(other.seed().is_ok());
    }

    #[test]
    fn debug_shows_no_secret() {
        let shown = format!("{:?}", key());
        assert!(shown.starts_with("Key(PublicKey(") && !shown.contains('7'.to_string().repeat(3).as_str()), "{shown}");
    }
}

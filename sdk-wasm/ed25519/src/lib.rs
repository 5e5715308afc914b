//! Ed25519 for the npm package `countersign`: keys in WebAssembly memory, and strict verifying.
//!
//! The wallet itself holds no key and does no curve arithmetic; its signer may be WebCrypto. So this is a file of its own, which
//! a page loads only where it makes a [`Key`], verifies, or brings a signer whose signatures have to be verified. All is bytes
//! here: reading and writing text, and what is said of an error, is the TypeScript side's.

#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;
// For its allocator and panic handler.
extern crate countersign_bare as _;

mod key;

pub use crate::key::{Key, Seed};

use alloc::vec::Vec;
use countersign_protocol::{KeyError, PublicKey, Signature, verify_bytes};
use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch, js_namespace = crypto, js_name = getRandomValues)]
    fn fill_with_random(bytes: &mut [u8]) -> Result<(), JsValue>;
}

/// A key, as JavaScript holds it.
#[wasm_bindgen]
pub struct CoreKey(Key);

#[wasm_bindgen]
impl CoreKey {
    /// A new key, of bytes the platform draws straight into WebAssembly memory; none where it has no `crypto.getRandomValues`.
    pub fn generate() -> Option<CoreKey> {
        let mut seed = Seed::default();
        fill_with_random(&mut *seed).ok()?;
        Some(Self(Key::from_seed(&seed)))
    }

    /// The key of a seed; none unless it is 32 bytes.
    pub fn from_seed(seed: &Uint8Array) -> Option<CoreKey> {
        let mut copy = Seed::default();
        if seed.length() as usize != copy.len() {
            return None;
        }
        seed.copy_to(&mut *copy);
        Some(Self(Key::from_seed(&copy)))
    }

    /// The public key: 32 bytes.
    pub fn public_key(&self) -> Vec<u8> {
        self.0.public_key().to_bytes().as_bytes().to_vec()
    }

    /// A copy of the seed in JavaScript's memory; none once it is overwritten.
    pub fn export_seed(&self) -> Option<Uint8Array> {
        Some(Uint8Array::from(self.0.seed()?.as_slice()))
    }

    /// Signs any bytes: 64 bytes; none once the secret is overwritten.
    pub fn sign(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        Some(self.0.sign(bytes)?.as_bytes().to_vec())
    }

    /// Overwrites the secret: nothing can be signed with it after this.
    pub fn destroy(&mut self) {
        self.0.free();
    }
}

/// What [`verify`] has found.
#[wasm_bindgen]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The signature holds.
    Holds,
    /// It does not.
    Fails,
    /// The public key is no point of the curve.
    NotOnCurve,
    /// Another encoding of the public key is the canonical one.
    NotCanonical,
    /// The public key is of small order.
    SmallOrder,
    /// The public key is not in the prime-order subgroup.
    MixedOrder,
}

/// Whether a signature of 64 bytes holds over these very bytes under a public key of 32, by the protocol's strict rules.
#[wasm_bindgen]
pub fn verify(public_key: &[u8], bytes: &[u8], signature: &[u8]) -> Verdict {
    let (Ok(public_key), Ok(signature)) = (<[u8; 32]>::try_from(public_key), <[u8; 64]>::try_from(signature)) else {
        return Verdict::Fails;
    };
    match PublicKey::admit(public_key.into()) {
        Ok(key) if verify_bytes(bytes, &key, &Signature::from(signature)).is_ok() => Verdict::Holds,
        Ok(_) | Err(KeyError::Encoding(_)) => Verdict::Fails,
        Err(KeyError::NotOnCurve) => Verdict::NotOnCurve,
        Err(KeyError::NotCanonical) => Verdict::NotCanonical,
        Err(KeyError::SmallOrder) => Verdict::SmallOrder,
        Err(KeyError::MixedOrder) => Verdict::MixedOrder,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_is_wrong_with_a_key_or_that_the_signature_does_not_hold() {
        let key = Key::from_seed(&Seed::new([7; 32]));
        let (public_key, signature) = (key.public_key().to_bytes(), key.sign(b"hello").unwrap());
        let (public_key, signature) = (public_key.as_bytes(), signature.as_bytes());
        assert_eq!(verify(public_key, b"hello", signature), Verdict::Holds);
        assert_eq!(verify(public_key, b"hullo", signature), Verdict::Fails);
        assert_eq!(verify(&public_key[1..], b"hello", signature), Verdict::Fails);
        assert_eq!(verify(public_key, b"hello", &signature[1..]), Verdict::Fails);
        let starting = |first: u8, rest: u8, last: u8| {
            let mut bytes = [rest; 32];
            (bytes[0], bytes[31]) = (first, last);
            bytes
        };
        assert_eq!(verify(&starting(2, 0, 0), b"hello", signature), Verdict::NotOnCurve);
        assert_eq!(verify(&starting(0xEE, 0xFF, 0x7F), b"hello", signature), Verdict::NotCanonical);
        assert_eq!(verify(&starting(1, 0, 0), b"hello", signature), Verdict::SmallOrder);
    }
}

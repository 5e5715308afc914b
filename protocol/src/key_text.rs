//! The ways people write public keys. The wire knows base64 only; the backend's API takes them all.

use crate::key::{KeyError, PublicKey, PublicKeyBytes};
use crate::prelude::*;
use base64::{
    Engine as _,
    engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD},
};
use thiserror::Error;

/// Multicodec prefix of an Ed25519 public key in a `did:key` (W3C did:key §3, multicodec 0xed).
const MULTICODEC_ED25519: [u8; 2] = [0xED, 0x01];

/// Longer than every way to write a key; nothing longer is looked at.
const MAX_TEXT_BYTES: usize = 80;

/// Why a text names no public key.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyTextError {
    /// None of the accepted ways to write 32 bytes.
    #[error("public_key is not 32 bytes in base64, base64url, hex, base58btc or did:key")]
    Unreadable,
    /// Reads as one key in base64url and as another in base58btc.
    #[error("public_key is ambiguous between base64url and base58btc: write it in base64")]
    Ambiguous,
    /// Readable, and not a key that is admitted.
    #[error(transparent)]
    Refused(#[from] KeyError),
}

impl PublicKeyBytes {
    /// Reads a key written as base64, base64url (padded or not), hex, base58btc (bare) or `did:key`.
    ///
    /// # Errors
    /// [`KeyTextError::Unreadable`] or [`KeyTextError::Ambiguous`]. A text of 43 characters can be both base64url and
    /// base58btc; where both readings are keys that would be admitted, neither is guessed.
    pub fn from_any_text(text: &str) -> Result<Self, KeyTextError> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(KeyTextError::Unreadable);
        }
        if let Some(multibase) = text.strip_prefix("did:key:") {
            return from_did_key(multibase).ok_or(KeyTextError::Unreadable);
        }
        if let Some(key) = text.parse().ok().or_else(|| from_base64url_padded(text)).or_else(|| from_hex(text)) {
            return Ok(key);
        }
        match (from_base64url(text), from_base58(text)) {
            (Some(a), Some(b)) => unambiguous(a, b),
            (Some(key), None) | (None, Some(key)) => Ok(key),
            (None, None) => Err(KeyTextError::Unreadable),
        }
    }
}

impl PublicKey {
    /// Reads and admits a key; see [`PublicKeyBytes::from_any_text`] and [`PublicKey::admit`].
    ///
    /// # Errors
    /// As those two.
    pub fn from_any_text(text: &str) -> Result<Self, KeyTextError> {
        Ok(Self::admit(PublicKeyBytes::from_any_text(text)?)?)
    }
}

fn unambiguous(a: PublicKeyBytes, b: PublicKeyBytes) -> Result<PublicKeyBytes, KeyTextError> {
    match (PublicKey::admit(a), PublicKey::admit(b)) {
        (Ok(_), Ok(_)) => Err(KeyTextError::Ambiguous),
        (Err(_), Ok(_)) => Ok(b),
        (Ok(_) | Err(_), Err(_)) => Ok(a),
    }
}

fn from_base64url_padded(text: &str) -> Option<PublicKeyBytes> {
    key(URL_SAFE.decode(text).ok()?)
}

fn from_base64url(text: &str) -> Option<PublicKeyBytes> {
    key(URL_SAFE_NO_PAD.decode(text).ok()?)
}

fn from_hex(text: &str) -> Option<PublicKeyBytes> {
    key(hex::decode(text).ok()?)
}

fn from_base58(text: &str) -> Option<PublicKeyBytes> {
    key(bs58::decode(text).into_vec().ok()?)
}

fn from_did_key(multibase: &str) -> Option<PublicKeyBytes> {
    let bytes = bs58::decode(multibase.strip_prefix('z')?).into_vec().ok()?;
    key(bytes.strip_prefix(&MULTICODEC_ED25519)?.to_vec())
}

fn key(bytes: Vec<u8>) -> Option<PublicKeyBytes> {
    <[u8; 32]>::try_from(bytes).ok().map(PublicKeyBytes::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::SigningKey;

    fn texts(bytes: &[u8; 32]) -> [String; 6] {
        let did = [&MULTICODEC_ED25519[..], bytes].concat();
        [
            PublicKeyBytes::from(*bytes).to_string(),
            URL_SAFE.encode(bytes),
            URL_SAFE_NO_PAD.encode(bytes),
            hex::encode(bytes),
            bs58::encode(bytes).into_string(),
            format!("did:key:z{}", bs58::encode(did).into_string()),
        ]
    }

    #[test]
    fn every_way_to_write_a_key_names_that_key_or_is_called_ambiguous() {
        let mut ambiguous = 0;
        for n in 0..2000u32 {
            let mut seed = [0; 32];
            seed[..4].copy_from_slice(&n.to_le_bytes());
            let bytes = SigningKey::from_bytes(&seed).verifying_key().to_bytes();
            for text in texts(&bytes) {
                match PublicKey::from_any_text(&text) {
                    Ok(key) => assert_eq!(key.to_bytes().as_bytes(), &bytes, "{text}"),
                    Err(KeyTextError::Ambiguous) => ambiguous += 1,
                    Err(error) => panic!("{text}: {error}"),
                }
            }
        }
        assert!(ambiguous < 40, "{ambiguous} of 12,000");
    }

    #[test]
    fn reads_the_example_of_the_did_key_method() {
        let key = PublicKey::from_any_text("did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK").unwrap();
        assert_eq!(
            hex::encode(key.to_bytes().as_bytes()),
            "2e6fcce36701dc791488e0d0b1745cc1e33a4c1c9fcc41c63bd343dbbe0970e6"
        );
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "key", "did:key:", "did:key:z", "did:web:example.com", &"1".repeat(33), &"A".repeat(4000)] {
            assert_eq!(PublicKey::from_any_text(text), Err(KeyTextError::Unreadable), "{text}");
        }
    }
}

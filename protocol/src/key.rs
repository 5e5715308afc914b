//! Public keys: as 32 bytes that somebody named, and as keys this protocol admits.

use crate::binary::{BinaryError, base64_newtype};
use crate::prelude::*;
use core::{fmt, hash::Hash};
use curve25519_dalek::edwards::CompressedEdwardsY;
use ed25519_dalek::VerifyingKey;
use thiserror::Error;

/// 32 bytes named as a public key and not yet admitted; see [`PublicKey::admit`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PublicKeyBytes([u8; 32]);

base64_newtype!(PublicKeyBytes, 32, "public_key");

impl PublicKeyBytes {
    /// The first eight characters of the base64: enough to tell keys apart in a log, too few to use as one.
    pub fn fingerprint(&self) -> String {
        let mut text = self.to_string();
        text.truncate(8);
        text
    }
}

/// Why 32 bytes are not a key that is admitted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyError {
    /// Not even 32 bytes of base64.
    #[error(transparent)]
    Encoding(#[from] BinaryError),
    /// No point of the curve has this encoding.
    #[error("public_key is not a point of the curve")]
    NotOnCurve,
    /// Another encoding of the same point is the canonical one, so the key would have two names.
    #[error("public_key is not canonically encoded")]
    NotCanonical,
    /// A signature by such a key verifies for nearly every message.
    #[error("public_key is of small order")]
    SmallOrder,
    /// Verification libraries disagree about signatures by such a key.
    #[error("public_key is not in the prime-order subgroup")]
    MixedOrder,
}

/// An Ed25519 public key (RFC 8032 §5.1.5) that every verifier agrees about: canonically encoded, of prime order.
///
/// The only way to one is [`PublicKey::admit`]. It holds the decompressed point, so that verifying costs no decompression.
#[derive(Clone)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Admits `bytes` as a key.
    ///
    /// # Errors
    /// [`KeyError`] for an encoding that is no point or not the canonical one, and for a point that is not of prime order
    /// ("Taming the many EdDSAs", Chalkias et al. 2020, §3).
    pub fn admit(bytes: PublicKeyBytes) -> Result<Self, KeyError> {
        let point = CompressedEdwardsY(bytes.0).decompress().ok_or(KeyError::NotOnCurve)?;
        if point.compress().0 != bytes.0 {
            return Err(KeyError::NotCanonical);
        }
        if point.is_small_order() {
            return Err(KeyError::SmallOrder);
        }
        if !point.is_torsion_free() {
            return Err(KeyError::MixedOrder);
        }
        Ok(Self(VerifyingKey::from(point)))
    }

    /// The key that belongs to a signing key; always one that is admitted.
    pub fn of(signing_key: &ed25519_dalek::SigningKey) -> Self {
        Self(signing_key.verifying_key())
    }

    /// The 32 bytes this key was admitted from.
    pub fn to_bytes(&self) -> PublicKeyBytes {
        PublicKeyBytes(self.0.to_bytes())
    }

    pub(crate) fn verifying_key(&self) -> &VerifyingKey {
        &self.0
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.to_bytes() == other.to_bytes()
    }
}

impl Eq for PublicKey {}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_bytes().fmt(f)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use curve25519_dalek::{constants::EIGHT_TORSION, edwards::EdwardsPoint};
    use ed25519_dalek::SigningKey;

    fn admit(bytes: [u8; 32]) -> Result<PublicKey, KeyError> {
        PublicKey::admit(PublicKeyBytes(bytes))
    }

    fn honest_point() -> EdwardsPoint {
        SigningKey::from_bytes(&[9; 32]).verifying_key().to_edwards()
    }

    #[test]
    fn admits_honest_keys() {
        for seed in 0..=255 {
            let key = SigningKey::from_bytes(&[seed; 32]).verifying_key();
            assert_eq!(admit(key.to_bytes()).unwrap(), PublicKey(key));
        }
    }

    #[test]
    fn refuses_every_point_of_small_order() {
        for point in EIGHT_TORSION {
            assert_eq!(admit(point.compress().0), Err(KeyError::SmallOrder));
        }
    }

    #[test]
    fn refuses_points_of_mixed_order() {
        for torsion in &EIGHT_TORSION[1..] {
            assert_eq!(admit((honest_point() + torsion).compress().0), Err(KeyError::MixedOrder));
        }
    }

    #[test]
    fn refuses_non_canonical_encodings() {
        // y = p + 1 decodes like y = 1, and x = 0 with its sign bit set like x = 0.
        let mut above_the_prime = [0xFF; 32];
        above_the_prime[0] = 0xEE;
        above_the_prime[31] = 0x7F;
        let mut negative_zero = [0; 32];
        negative_zero[0] = 1;
        negative_zero[31] = 0x80;
        for bytes in [above_the_prime, negative_zero] {
            let refused = admit(bytes).unwrap_err();
            assert!(matches!(refused, KeyError::NotCanonical | KeyError::NotOnCurve), "{refused}");
        }
    }

    #[test]
    fn refuses_what_is_no_point() {
        let mut bytes = [0; 32];
        bytes[0] = 2;
        assert_eq!(admit(bytes), Err(KeyError::NotOnCurve));
    }

    #[test]
    fn keys_are_told_apart_by_their_bytes() {
        let [key, same, other] = [1, 1, 2].map(|seed| PublicKey::of(&SigningKey::from_bytes(&[seed; 32])));
        assert_eq!(key, same);
        assert_ne!(key, other);
        assert_eq!(format!("{key:?}"), format!("PublicKey({})", key.to_bytes()));
        assert_eq!(format!("{:?}", key.to_bytes()), format!("PublicKeyBytes({key})"));
    }

    #[test]
    fn a_fingerprint_is_short() {
        assert_eq!(PublicKeyBytes([0; 32]).fingerprint(), "AAAAAAAA");
    }
}

//! Verification, whose last step can be taken for many signatures together.
//!
//! A signature holds where its `R` is the encoding of `[S]B - [k]A` (RFC 8032 §5.1.7). To encode a point takes an inversion, a tenth of the whole or
//! more; Montgomery's trick has any number of points share one. That is all they share: each signature is compared with the encoding of its own
//! point, so none can make another hold or fail, as it could in what is known as batch verification.

use crate::{PublicKey, Signature, prelude::*};
use curve25519_dalek::{EdwardsPoint, Scalar, edwards::CompressedEdwardsY};
use sha2::{Digest as _, Sha512};
use thiserror::Error;

/// The canonical encoding of the curve's neutral point (RFC 8032 §5.1.2): y = 1.
const IDENTITY: [u8; 32] = {
    let mut bytes = [0; 32];
    bytes[0] = 1;
    bytes
};

/// A signature that does not hold over these bytes under this key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the signature does not verify")]
pub struct SignatureMismatch;

/// A verification but for its last step.
#[derive(Debug, Clone)]
#[must_use]
pub struct Verification {
    /// `[S]B - [k]A`.
    expected: EdwardsPoint,
    /// What the signature says that it is encoded as.
    r: CompressedEdwardsY,
}

impl Verification {
    /// All but the last step.
    ///
    /// # Errors
    /// [`SignatureMismatch`], where that shows already.
    pub fn begin(bytes: &[u8], key: &PublicKey, signature: &Signature) -> Result<Self, SignatureMismatch> {
        let (r, s) = signature.as_bytes().split_first_chunk().ok_or(SignatureMismatch)?;
        // An R that equals the encoding of a point is on the curve and canonical. The key is of prime order, hence so is that point, and
        // the only one of small order it can be is the identity. To decompress R and look, as `verify_strict` of ed25519-dalek does, would cost
        // a fifth more.
        if *r == IDENTITY {
            return Err(SignatureMismatch);
        }
        // Another name of the same scalar would be another signature that nobody made (RFC 8032 §5.1.7, step 1).
        let s =
            s.try_into().ok().and_then(|s| Scalar::from_canonical_bytes(s).into_option()).ok_or(SignatureMismatch)?;
        let key = key.verifying_key();
        let hash = Sha512::new().chain_update(r).chain_update(key.as_bytes()).chain_update(bytes).finalize();
        let k = Scalar::from_bytes_mod_order_wide(&hash.into());
        // In variable time: nothing here is secret.
        let expected = EdwardsPoint::vartime_double_scalar_mul_basepoint(&k, &-key.to_edwards(), &s);
        Ok(Self { expected, r: CompressedEdwardsY(*r) })
    }

    /// The last step.
    ///
    /// # Errors
    /// [`SignatureMismatch`]
    pub fn conclude(self) -> Result<(), SignatureMismatch> {
        verdict(self.expected.compress(), self.r)
    }

    /// The last step of many, each with its own verdict.
    pub fn conclude_all(all: &[Self]) -> Vec<Result<(), SignatureMismatch>> {
        let expected: Vec<_> = all.iter().map(|verification| verification.expected).collect();
        let encoded = EdwardsPoint::compress_batch_alloc(&expected);
        encoded.into_iter().zip(all).map(|(encoded, verification)| verdict(encoded, verification.r)).collect()
    }
}

fn verdict(expected: CompressedEdwardsY, r: CompressedEdwardsY) -> Result<(), SignatureMismatch> {
    if expected == r { Ok(()) } else { Err(SignatureMismatch) }
}

//! Heads under the server's signature: whoever has no key of the server's makes no other chain up to there.

use super::chain::{Hash, Head, rfc3339};
use crate::{
    store::{ServerKey, compact, thumbprint},
    time::Timestamp,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::{Signature, VerifyingKey};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::collections::HashMap;
use thiserror::Error;

const TYPE: &str = "countersign-audit-head+jwt";

/// What is signed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    seq: u64,
    hash: String,
    time: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    kid: String,
    typ: String,
}

pub(super) fn sign(head: Head, at: Timestamp, key: &ServerKey) -> Option<String> {
    compact(key, TYPE, &Claims { seq: head.seq, hash: head.hash.to_string(), time: rfc3339(at) })
}

/// What is wrong with a signed head.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SignedHeadError {
    /// It is not such a JWS.
    #[error("the signed head is malformed")]
    Malformed,
    /// It is that of another entry than the one before.
    #[error("the signed head is that of another chain")]
    OtherHead,
    /// No key of the set has that thumbprint.
    #[error("the key {0} that signed the head is not in the key set")]
    UnknownKey(String),
    /// The signature does not hold.
    #[error("the signature of the head does not hold")]
    Signature,
}

/// Public keys of servers, by their thumbprint.
#[derive(Debug, Clone, Default)]
pub struct KeySet(HashMap<String, VerifyingKey>);

/// A text is no JWK Set with Ed25519 keys.
#[derive(Debug, Error)]
#[error("no JWK Set with Ed25519 keys, as /.well-known/jwks.json has it")]
pub struct KeySetError;

impl KeySet {
    /// Adds the Ed25519 keys of a JWK Set (RFC 7517 §5, RFC 8037 §2).
    ///
    /// # Errors
    /// [`KeySetError`] if there is none in it.
    pub fn add(&mut self, jwks: &str) -> Result<(), KeySetError> {
        let set: Value = serde_json::from_str(jwks).map_err(|_| KeySetError)?;
        let keys = set.get("keys").and_then(Value::as_array).ok_or(KeySetError)?;
        let before = self.0.len();
        for key in keys.iter().filter(|key| key.get("crv").and_then(Value::as_str) == Some("Ed25519")) {
            let x = key.get("x").and_then(Value::as_str).and_then(|x| URL_SAFE_NO_PAD.decode(x).ok());
            let bytes: [u8; 32] = x.and_then(|x| x.try_into().ok()).ok_or(KeySetError)?;
            // By its thumbprint, whatever `kid` says.
            self.0.insert(thumbprint(&bytes), VerifyingKey::from_bytes(&bytes).map_err(|_| KeySetError)?);
        }
        if self.0.len() == before { Err(KeySetError) } else { Ok(()) }
    }
}

/// Verifies that `jws` signs `head`, as far as there are keys; the thumbprint of the one that did.
pub(super) fn verify(jws: &str, head: Head, keys: Option<&KeySet>) -> Result<String, SignedHeadError> {
    let (signed, signature) = jws.rsplit_once('.').ok_or(SignedHeadError::Malformed)?;
    let (header, claims) = signed.split_once('.').ok_or(SignedHeadError::Malformed)?;
    let (header, claims): (Header, Claims) = (decoded(header)?, decoded(claims)?);
    if header.alg != "EdDSA" || header.typ != TYPE {
        return Err(SignedHeadError::Malformed);
    }
    if (claims.seq, claims.hash.parse::<Hash>()) != (head.seq, Ok(head.hash)) {
        return Err(SignedHeadError::OtherHead);
    }
    if let Some(KeySet(keys)) = keys {
        let key = keys.get(&header.kid).ok_or_else(|| SignedHeadError::UnknownKey(header.kid.clone()))?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| SignedHeadError::Malformed)?;
        let signature = Signature::from_slice(&signature).map_err(|_| SignedHeadError::Malformed)?;
        key.verify_strict(signed.as_bytes(), &signature).map_err(|_| SignedHeadError::Signature)?;
    }
    Ok(header.kid)
}

fn decoded<T: DeserializeOwned>(part: &str) -> Result<T, SignedHeadError> {
    let json = URL_SAFE_NO_PAD.decode(part).map_err(|_| SignedHeadError::Malformed)?;
    serde_json::from_slice(&json).map_err(|_| SignedHeadError::Malformed)
}

//! What the server signs for others: JSON Web Signatures in compact serialisation (RFC 7515 §7.1, RFC 8037 §3.1).

use super::key::ServerKey;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;

#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    kid: &'a str,
    typ: &'static str,
}

/// `claims` under the server's signature. None never happens as long as nothing in them has a form that JSON lacks.
pub(crate) fn compact(key: &ServerKey, typ: &'static str, claims: &impl Serialize) -> Option<String> {
    let header = Header { alg: "EdDSA", kid: key.key_id(), typ };
    let signed = format!("{}.{}", encoded(&header)?, encoded(claims)?);
    let signature = key.sign(signed.as_bytes());
    Some(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

fn encoded(value: &impl Serialize) -> Option<String> {
    serde_json::to_vec(value).ok().map(|json| URL_SAFE_NO_PAD.encode(json))
}

//! `GET /v1/signers/{public_key}`: whether a wallet with this key is connected.

use super::{app::App, problem::Problem, send_to_sign_body::invalid_public_key};
use countersign_protocol::{PublicKey, PublicKeyBytes};
use percent_encoding::percent_decode_str;
use serde::Serialize;

#[derive(Serialize)]
pub(in crate::http) struct Signer {
    public_key: PublicKeyBytes,
    connected: bool,
    connections: usize,
}

pub(in crate::http) fn signer(app: &App, key: &str) -> Result<Signer, Problem> {
    // Standard base64 has slashes and plus signs, which a path segment carries percent-encoded.
    let key = percent_decode_str(key).decode_utf8().map_err(|_| Problem::malformed("the path is not UTF-8"))?;
    let public_key = PublicKey::from_any_text(&key).map_err(invalid_public_key)?.to_bytes();
    let connections = app.service.connections_of(&public_key);
    Ok(Signer { public_key, connected: connections > 0, connections })
}

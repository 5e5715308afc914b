//! `GET /v1/signers/{public_key}`: whether a wallet with this key is connected.

use super::{
    app::App,
    call::{Caller, admit, json, refused, reply},
    problem::Problem,
    send_to_sign_body::invalid_public_key,
};
use countersign_protocol::{PublicKey, PublicKeyBytes};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use std::sync::Arc;
use warp::{filters::path::Tail, reply::Response};

#[derive(Serialize)]
struct Signer {
    public_key: PublicKeyBytes,
    connected: bool,
    connections: usize,
}

pub(in crate::http) async fn get_signer(key: Tail, app: Arc<App>, caller: Caller) -> Response {
    let signer = async {
        let requester = admit(&app, &caller)?;
        let public_key = public_key(key.as_str()).map_err(|problem| refused(&app, &caller, problem))?;
        requester.scope.check_key(&public_key)?;
        let connections = app.service.connections_everywhere(&public_key).await?;
        Ok(json(&Signer { public_key, connected: connections > 0, connections }))
    };
    let signer = signer.await;
    reply(&app, signer)
}

/// The key in a path's last segment.
pub(super) fn public_key(key: &str) -> Result<PublicKeyBytes, Problem> {
    // Standard base64 has slashes and plus signs, which a path segment carries percent-encoded.
    let key = percent_decode_str(key).decode_utf8().map_err(|_| Problem::malformed("the path is not UTF-8"))?;
    Ok(PublicKey::from_any_text(&key).map_err(invalid_public_key)?.to_bytes())
}

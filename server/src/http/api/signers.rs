//! `GET /v1/signers/{public_key}`: whether a wallet with this key is connected.

use super::{app::App, problem::Problem, send_to_sign_body::invalid_public_key};
use countersign_protocol::{PublicKey, PublicKeyBytes};
use serde::Serialize;

#[derive(Serialize)]
pub(in crate::http) struct Signer {
    public_key: PublicKeyBytes,
    connected: bool,
    connections: usize,
}

pub(in crate::http) fn signer(app: &App, key: &str) -> Result<Signer, Problem> {
    // Standard base64 has slashes and plus signs, which a path segment carries percent-encoded.
    let key = percent_decode(key).ok_or_else(|| Problem::malformed("the path has a broken percent-encoding"))?;
    let public_key = PublicKey::from_any_text(&key).map_err(invalid_public_key)?.to_bytes();
    let connections = app.service.connections_of(&public_key);
    Ok(Signer { public_key, connected: connections > 0, connections })
}

fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let byte = match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            byte => byte,
        };
        bytes.push(byte);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_encoding_is_undone() {
        assert_eq!(percent_decode("a%2Fb%2b%3D").as_deref(), Some("a/b+="));
        for broken in ["%", "%2", "%zz", "%+f", "%ff", "a%é"] {
            assert_eq!(percent_decode(broken), None, "{broken}");
        }
    }
}

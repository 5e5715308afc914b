//! Signatures that hold: introduction proofs and signed messages.

use super::{AUDIENCE, CHALLENGE, MESSAGE, ORIGIN, SEED, public_key};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use countersign_protocol::{Challenge, Message, Signable, Signature};
use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub(crate) struct Proofs {
    pub(crate) about: String,
    pub(crate) proofs: Vec<ProofVector>,
    pub(crate) messages: Vec<MessageVector>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct ProofVector {
    pub(crate) name: String,
    /// Hex: the 32 secret bytes of RFC 8032 §5.1.5.
    pub(crate) seed: String,
    pub(crate) public_key: String,
    pub(crate) challenge: String,
    pub(crate) audience: String,
    pub(crate) origin: String,
    /// Hex: the bytes the proof is a signature over.
    pub(crate) signed: String,
    pub(crate) proof: String,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct MessageVector {
    pub(crate) name: String,
    pub(crate) seed: String,
    pub(crate) public_key: String,
    pub(crate) message: String,
    pub(crate) signature: String,
}

pub(crate) fn make() -> Proofs {
    let long_path = format!("wss://sign.example.com/{}", "a".repeat(2048 - 23));
    Proofs {
        about: "Introduction proofs and message signatures that hold. `seed` and `signed` are hex, all else is as on the wire."
            .into(),
        proofs: vec![
            proof("the example of the specification", SEED, CHALLENGE, AUDIENCE, ORIGIN),
            proof("outside a browser: empty origin", SEED, CHALLENGE, AUDIENCE, ""),
            proof("a sandboxed frame or a file: origin null", SEED, CHALLENGE, AUDIENCE, "null"),
            proof("a demo on this machine", [7; 32], [0xA5; 32], "ws://localhost:8080/ws", "http://localhost:8080"),
            proof("an extension's origin, an IPv6 host", [8; 32], [0; 32], "ws://[2001:db8::1]:8443/ws", "chrome-extension://abc"),
            proof("the longest audience, with a length of two non-zero bytes", [9; 32], [0xFF; 32], &long_path, ORIGIN),
        ],
        messages: vec![
            message("the example of the specification", SEED, MESSAGE),
            message("one zero byte", SEED, &[0]),
            message("0xFF alone is not the reserved prefix", SEED, b"\xFF"),
            message("the reserved prefix without its last byte", SEED, b"\xFFcountersign"),
            message("the reserved words without 0xFF", SEED, b"countersign/v1/introduction\x00"),
            message("the reserved prefix further on", SEED, b" \xFFcountersign/"),
            message("UTF-8", [7; 32], "Überweise 25 € an Zoë 🦊".as_bytes()),
            message("every byte", [8; 32], &(0..=255).collect::<Vec<u8>>()),
        ],
    }
}

/// The proof of `key` over these four.
pub(crate) fn prove(key: &SigningKey, challenge: [u8; 32], audience: &str, origin: &str) -> Signature {
    with_signable(key, challenge, audience, origin, |signable| signable.sign(key))
}

fn with_signable<T>(
    key: &SigningKey,
    challenge: [u8; 32],
    audience: &str,
    origin: &str,
    then: impl Fn(Signable<'_>) -> T,
) -> T {
    let (challenge, public_key) = (Challenge::from(challenge), public_key(key));
    let (audience, origin) = (audience.parse().unwrap(), origin.parse().unwrap());
    then(Signable::Introduction {
        challenge: &challenge,
        public_key: &public_key,
        audience: &audience,
        origin: &origin,
    })
}

fn proof(name: &str, seed: [u8; 32], challenge: [u8; 32], audience: &str, origin: &str) -> ProofVector {
    let key = SigningKey::from_bytes(&seed);
    ProofVector {
        name: name.into(),
        seed: hex::encode(seed),
        public_key: public_key(&key).to_string(),
        challenge: Challenge::from(challenge).to_string(),
        audience: audience.into(),
        origin: origin.into(),
        signed: with_signable(&key, challenge, audience, origin, |signable| hex::encode(signable.to_bytes())),
        proof: prove(&key, challenge, audience, origin).to_string(),
    }
}

fn message(name: &str, seed: [u8; 32], bytes: &[u8]) -> MessageVector {
    let key = SigningKey::from_bytes(&seed);
    let message = Message::try_from(bytes).unwrap();
    MessageVector {
        name: name.into(),
        seed: hex::encode(seed),
        public_key: public_key(&key).to_string(),
        message: STANDARD.encode(bytes),
        signature: Signable::Message(&message).sign(&key).to_string(),
    }
}

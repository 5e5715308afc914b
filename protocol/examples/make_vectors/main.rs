//! Writes the golden vectors: `cargo run -p countersign-protocol --example make_vectors`.
//!
//! They are the same at every run, and a test regenerates them, so a change to the wire shows up as a change to these files.

// A vector that cannot be made is a mistake in this program; there is nobody to hand an error to.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::print_stdout)]

pub(crate) mod frames;
pub(crate) mod proofs;
pub(crate) mod refused;

use countersign_protocol::{PublicKey, PublicKeyBytes};
use ed25519_dalek::SigningKey;
use serde::Serialize;

fn main() -> std::io::Result<()> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/vectors");
    for (name, text) in files() {
        std::fs::write(format!("{folder}/{name}"), text)?;
        println!("{name}");
    }
    Ok(())
}

/// Every file of vectors, by name.
pub(crate) fn files() -> [(&'static str, String); 3] {
    [
        ("frames.json", pretty(&frames::make())),
        ("proofs.json", pretty(&proofs::make())),
        ("refused.json", pretty(&refused::make())),
    ]
}

fn pretty(vectors: &impl Serialize) -> String {
    serde_json::to_string_pretty(vectors).expect("vectors are plain data") + "\n"
}

/// The key of the first test vector of RFC 8032 §7.1, so that anybody can check the examples.
pub(crate) const SEED: [u8; 32] = [
    0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44, 0x49, 0xc5,
    0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
];

/// The challenge of the examples: 00 01 02 … 1f.
pub(crate) const CHALLENGE: [u8; 32] = {
    let mut bytes = [0; 32];
    let mut i = 0;
    while i < 32 {
        bytes[i] = i as u8;
        i += 1;
    }
    bytes
};

pub(crate) const AUDIENCE: &str = "wss://sign.example.com/ws";
pub(crate) const ORIGIN: &str = "https://app.example.com";
pub(crate) const MESSAGE: &[u8] = b"Pay 25 EUR to Alice";
pub(crate) const REQUEST_ID: &str = "0b2f1c1e-7a64-4d6e-9b0a-5f0f4b1c2d3e";
pub(crate) const REPLACED_ID: &str = "5c1d9e2f-3b4a-4c6d-8e7f-0a1b2c3d4e5f";
pub(crate) const BATCH_ID: &str = "9d3c1b7a-5e4f-4a2b-8c6d-7e8f9a0b1c2d";
pub(crate) const CONNECTION_ID: &str = "6f9a7d52-0c3b-4e8f-8a21-93d4c5b6a7f8";

pub(crate) fn signing_key() -> SigningKey {
    SigningKey::from_bytes(&SEED)
}

pub(crate) fn public_key(key: &SigningKey) -> PublicKeyBytes {
    PublicKey::of(key).to_bytes()
}

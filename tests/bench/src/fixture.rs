//! Wallets whose answers are known beforehand, so that no signing is measured.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use countersign_protocol::{PublicKey, PublicKeyBytes, limits::MAX_MESSAGE_BYTES};
use ed25519_dalek::{Signer as _, SigningKey};
use std::sync::Arc;

/// The length of a message, in bytes, unless said otherwise.
pub(crate) const MESSAGE_BYTES: usize = 256;

/// The longest there may be.
pub(crate) const LONG_MESSAGE_BYTES: usize = MAX_MESSAGE_BYTES;

/// A key and what it will be asked to sign.
pub(crate) struct Wallet {
    pub(crate) key: SigningKey,
    pub(crate) public_key: PublicKeyBytes,
    /// The public key in base64.
    pub(crate) name: String,
    pub(crate) papers: Vec<Paper>,
}

/// A message and the one signature that is right; Ed25519 has only one per key.
pub(crate) struct Paper {
    pub(crate) bytes: Vec<u8>,
    pub(crate) signature_bytes: [u8; 64],
    /// In base64.
    pub(crate) message: String,
    /// In base64.
    pub(crate) signature: String,
}

/// So many wallets with so many messages each; always the same ones.
pub(crate) fn wallets(count: u32, papers: u32) -> Vec<Arc<Wallet>> {
    wallets_with(count, papers, MESSAGE_BYTES)
}

/// Likewise, with messages of so many bytes.
pub(crate) fn wallets_with(count: u32, papers: u32, message_bytes: usize) -> Vec<Arc<Wallet>> {
    (0..count).map(|n| Arc::new(Wallet::new(n, papers, message_bytes))).collect()
}

impl Wallet {
    fn new(n: u32, papers: u32, message_bytes: usize) -> Self {
        let mut seed = [0; 32];
        seed[..4].copy_from_slice(&n.to_le_bytes());
        let key = SigningKey::from_bytes(&seed);
        let public_key = PublicKey::of(&key).to_bytes();
        let papers = (0..papers).map(|paper| Paper::new(&key, n, paper, message_bytes)).collect();
        Self { name: public_key.to_string(), public_key, key, papers }
    }

    /// The answer to a message in base64.
    pub(crate) fn signature_over(&self, message: &str) -> Option<&str> {
        self.papers.iter().find(|paper| paper.message == message).map(|paper| paper.signature.as_str())
    }
}

impl Paper {
    fn new(key: &SigningKey, wallet: u32, paper: u32, message_bytes: usize) -> Self {
        // What differs comes first, so that looking a message up ends early.
        let text = format!("{paper:04}: wallet {wallet} agrees to the terms. ");
        let bytes: Vec<u8> = text.bytes().cycle().take(message_bytes).collect();
        let signature_bytes = key.sign(&bytes).to_bytes();
        let message = STANDARD.encode(&bytes);
        Self { bytes, signature_bytes, message, signature: STANDARD.encode(signature_bytes) }
    }
}

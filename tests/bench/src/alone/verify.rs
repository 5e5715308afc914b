//! The limit: what a server must do at the least.

use super::Reading;
use crate::{Fallible, fixture, sample::Sample};
use ed25519_dalek::{Signature, VerifyingKey};
use std::time::{Duration, Instant};

/// Verifies the same signatures as the servers do, with keys that are decompressed beforehand.
pub(super) fn run(warm_up: Duration, measure: Duration) -> Fallible<Sample> {
    let wallets = fixture::wallets(100, 16);
    let mut work = Vec::new();
    for wallet in &wallets {
        let key = VerifyingKey::from_bytes(wallet.public_key.as_bytes())?;
        work.extend(
            wallet.papers.iter().map(|paper| (key, paper.bytes, Signature::from_bytes(&paper.signature_bytes))),
        );
    }
    let warm = verify_all(&work, Instant::now() + warm_up, 0)?;
    let before = Reading::take(warm)?;
    let verified = verify_all(&work, Instant::now() + measure, warm)?;
    before.until(verified)
}

/// How many there are with those verified until then.
fn verify_all(work: &[(VerifyingKey, [u8; 256], Signature)], until: Instant, mut verified: u64) -> Fallible<u64> {
    for (key, message, signature) in work.iter().cycle() {
        if Instant::now() >= until {
            break;
        }
        key.verify_strict(message, signature)?;
        verified += 1;
    }
    Ok(verified)
}

//! The limit: what a server must do at the least.

use super::Reading;
use crate::{Fallible, fixture, sample::Sample};
use countersign_protocol::{Message, PublicKey, Signable, Signature};
use ed25519_dalek::VerifyingKey;
use std::time::{Duration, Instant};

/// One thing to verify, whose key was decompressed beforehand.
type Check = Box<dyn Fn() -> Fallible<()>>;

/// Verifies the same signatures as the servers do, by ed25519-dalek's `verify_strict`.
pub(super) fn dalek(warm_up: Duration, measure: Duration) -> Fallible<Sample> {
    let check = |key: [u8; 32], message: &[u8], signature: [u8; 64]| -> Fallible<Check> {
        let (key, message) = (VerifyingKey::from_bytes(&key)?, message.to_vec());
        let signature = ed25519_dalek::Signature::from_bytes(&signature);
        Ok(Box::new(move || Ok(key.verify_strict(&message, &signature)?)))
    };
    run(fixture::MESSAGE_BYTES, check, (warm_up, measure))
}

/// Likewise by the verification of this project, with messages of so many bytes.
pub(super) fn own(message_bytes: usize, warm_up: Duration, measure: Duration) -> Fallible<Sample> {
    let check = |key: [u8; 32], message: &[u8], signature: [u8; 64]| -> Fallible<Check> {
        let (key, message) = (PublicKey::admit(key.into())?, Message::try_from(message.to_vec())?);
        let signature = Signature::from(signature);
        Ok(Box::new(move || Ok(Signable::Message(&message).verify(&key, &signature)?)))
    };
    run(message_bytes, check, (warm_up, measure))
}

fn run(
    message_bytes: usize,
    check: impl Fn([u8; 32], &[u8], [u8; 64]) -> Fallible<Check>,
    (warm_up, measure): (Duration, Duration),
) -> Fallible<Sample> {
    // As much to look at, whatever its length: what is in the processor's caches counts.
    let wallets =
        fixture::wallets_with(100, if message_bytes > fixture::MESSAGE_BYTES { 1 } else { 16 }, message_bytes);
    let mut work = Vec::new();
    for wallet in &wallets {
        for paper in &wallet.papers {
            work.push(check(*wallet.public_key.as_bytes(), &paper.bytes, paper.signature_bytes)?);
        }
    }
    let warm = verify_all(&work, Instant::now() + warm_up, 0)?;
    let before = Reading::take(warm)?;
    let verified = verify_all(&work, Instant::now() + measure, warm)?;
    before.until(verified)
}

/// How many there are with those verified until then.
fn verify_all(work: &[Check], until: Instant, mut verified: u64) -> Fallible<u64> {
    for check in work.iter().cycle() {
        if Instant::now() >= until {
            break;
        }
        check()?;
        verified += 1;
    }
    Ok(verified)
}

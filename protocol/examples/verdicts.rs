//! `verdicts MUTATIONS` prints the backend of curve25519-dalek that this processor gets, and a digest of what it comes to over the golden
//! vectors, Project Wycheproof and so many made-up cases. `scripts/compare-backends.sh` compares the digests of all backends.

// Vectors are constants: one that cannot be read is a mistake in them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout)]
// rustc is told of the backend by a flag for all crates, and only curve25519-dalek declares it.
#![allow(unexpected_cfgs)]

use base64::{Engine as _, engine::general_purpose::STANDARD};
use countersign_protocol::{PublicKey, Signature, verify_bytes};
use curve25519_dalek::{
    constants::EIGHT_TORSION,
    edwards::{CompressedEdwardsY, EdwardsPoint},
    scalar::Scalar,
};
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::Value;
use sha2::{Digest as _, Sha512};
use wycheproof::eddsa::{TestName, TestSet};

const PROOFS: &str = include_str!("../vectors/proofs.json");
const REFUSED: &str = include_str!("../vectors/refused.json");

fn main() {
    let mutations = std::env::args().nth(1).map_or(0, |count| count.parse().unwrap());
    let mut verdicts = Verdicts::default();
    golden_vectors(&mut verdicts);
    wycheproof(&mut verdicts);
    for number in 0..mutations {
        mutation(&mut verdicts, number);
    }
    assert!(verdicts.accepted > 0 && verdicts.accepted < verdicts.cases, "all alike, so they show nothing");
    let digest = hex::encode(&verdicts.hash.finalize()[..16]);
    println!("{} {digest} over {} cases, {} accepted", backend(), verdicts.cases, verdicts.accepted);
}

/// What `get_selected_backend` of curve25519-dalek, which is private, selects here.
fn backend() -> &'static str {
    #[cfg(all(target_arch = "x86_64", not(curve25519_dalek_backend = "serial")))]
    {
        let ifma = is_x86_feature_detected!("avx512ifma") && is_x86_feature_detected!("avx512vl");
        if cfg!(curve25519_dalek_backend = "avx512") && ifma {
            return "avx512";
        }
        if is_x86_feature_detected!("avx2") {
            return "avx2";
        }
    }
    "serial"
}

#[derive(Default)]
struct Verdicts {
    hash: Sha512,
    cases: u64,
    accepted: u64,
}

impl Verdicts {
    /// Adds the verdict, and the point that it hangs on: nearly every wrong sum would be a refusal too, and go unnoticed.
    fn add(&mut self, key: [u8; 32], message: &[u8], signature: [u8; 64]) {
        let admitted = PublicKey::admit(key.into());
        let verdict = admitted.map(|key| verify_bytes(message, &key, &Signature::from(signature)).is_ok());
        self.cases += 1;
        self.accepted += u64::from(verdict == Ok(true));
        self.hash.update(format!("{verdict:?}"));
        if let Some(point) = CompressedEdwardsY(key).decompress() {
            self.hash.update(expected_r(point, key, message, signature).compress().0);
        }
    }
}

/// `[S]B - [k]A` of RFC 8032 §5.1.7, which a signature's R has to be.
fn expected_r(point: EdwardsPoint, key: [u8; 32], message: &[u8], signature: [u8; 64]) -> EdwardsPoint {
    let k = challenge(&signature[..32], key, message);
    let s = Scalar::from_bytes_mod_order(signature[32..].try_into().unwrap());
    EdwardsPoint::vartime_double_scalar_mul_basepoint(&k, &-point, &s)
}

fn challenge(r: &[u8], key: [u8; 32], message: &[u8]) -> Scalar {
    let hash = Sha512::new().chain_update(r).chain_update(key).chain_update(message);
    Scalar::from_bytes_mod_order_wide(&hash.finalize().into())
}

fn golden_vectors(verdicts: &mut Verdicts) {
    let [hold, refused]: [Value; 2] = [PROOFS, REFUSED].map(|text| serde_json::from_str(text).unwrap());
    for proof in hold["proofs"].as_array().unwrap() {
        let signed = hex::decode(proof["signed"].as_str().unwrap()).unwrap();
        verdicts.add(bytes(&proof["public_key"]), &signed, bytes(&proof["proof"]));
    }
    let of_messages = [&hold["messages"], &refused["signatures"]].map(|list| list.as_array().unwrap());
    for case in of_messages.into_iter().flatten() {
        let message = STANDARD.decode(case["message"].as_str().unwrap()).unwrap();
        verdicts.add(bytes(&case["public_key"]), &message, bytes(&case["signature"]));
    }
    // What is not even 32 bytes of base64 never reaches the curve.
    for key in refused["public_keys"].as_array().unwrap().iter().filter_map(|case| read(&case["public_key"])) {
        verdicts.add(key, b"pay", [1; 64]);
    }
}

fn bytes<const N: usize>(text: &Value) -> [u8; N] {
    read(text).unwrap()
}

fn read<const N: usize>(text: &Value) -> Option<[u8; N]> {
    STANDARD.decode(text.as_str()?).ok()?.try_into().ok()
}

fn wycheproof(verdicts: &mut Verdicts) {
    for group in TestSet::load(TestName::Ed25519).unwrap().test_groups {
        let key = <[u8; 32]>::try_from(&group.key.pk[..]).unwrap();
        for test in group.tests {
            // A signature of another length never reaches the curve.
            if let Ok(signature) = <[u8; 64]>::try_from(&test.sig[..]) {
                verdicts.add(key, &test.msg, signature);
            }
        }
    }
}

/// A signature that holds, then damaged in one of the ways that the arithmetic could treat differently.
fn mutation(verdicts: &mut Verdicts, number: u64) {
    let random: [u8; 64] = Sha512::digest(number.to_le_bytes()).into();
    let signing_key = SigningKey::from_bytes(random[..32].try_into().unwrap());
    let (message, torsion) = (&random[32..], EIGHT_TORSION[usize::from(random[40] % 8)]);
    let (mut key, mut signature) = (signing_key.verifying_key().to_bytes(), signing_key.sign(message).to_bytes());
    let bit = 1 << (random[41] % 8);
    match number % 6 {
        0 => {}
        1 => signature[usize::from(random[42] % 64)] ^= bit,
        2 => key[usize::from(random[42] % 32)] ^= bit,
        3 => key = (signing_key.verifying_key().to_edwards() + torsion).compress().0,
        // R of small order, with the S that only the key's holder can find for it.
        4 => {
            let r = torsion.compress().0;
            let s = challenge(&r, key, message) * signing_key.to_scalar();
            signature = [r, s.to_bytes()].concat().try_into().unwrap();
        }
        // Scalars at both ends of their range, where carries go furthest.
        _ => signature[32..].copy_from_slice(&(Scalar::from(random[42]) - Scalar::from(128_u8)).to_bytes()),
    }
    verdicts.add(key, message, signature);
}

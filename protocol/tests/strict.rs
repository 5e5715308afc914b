//! That this protocol accepts exactly what `verify_strict` of ed25519-dalek accepts, although it looks for less: over honest and damaged
//! signatures, and over those that only the holder of a key can make, with an `R` of small order or in another encoding.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use countersign_protocol::{Message, PublicKey, Signable, Signature, Verification};
use curve25519_dalek::{Scalar, constants::EIGHT_TORSION};
use ed25519_dalek::{Signer as _, SigningKey, Verifier as _};
use proptest::prelude::*;
use sha2::{Digest as _, Sha512};

/// Whether we accept, having asserted that `verify_strict` says the same; and whether plain `verify` accepts.
fn verdicts(key: &SigningKey, message: &[u8], signature: [u8; 64]) -> (bool, bool) {
    let signable = Message::try_from(message).unwrap();
    let ours = Signable::Message(&signable).verify(&PublicKey::of(key), &Signature::from(signature)).is_ok();
    let theirs = ed25519_dalek::Signature::from_bytes(&signature);
    assert_eq!(ours, key.verifying_key().verify_strict(message, &theirs).is_ok());
    (ours, key.verifying_key().verify(message, &theirs).is_ok())
}

/// The `S` for which `[S]B` is `[k]A`, whatever `R` is: what is left of the equation then is the neutral point.
fn forged(key: &SigningKey, r: [u8; 32], message: &[u8]) -> [u8; 64] {
    let hash = Sha512::new().chain_update(r).chain_update(key.verifying_key().as_bytes()).chain_update(message);
    let s = Scalar::from_bytes_mod_order_wide(&hash.finalize().into()) * key.to_scalar();
    [r, s.to_bytes()].concat().try_into().unwrap()
}

#[test]
fn no_r_of_small_order_is_accepted_by_any_of_its_names() {
    let key = SigningKey::from_bytes(&[9; 32]);
    let small = EIGHT_TORSION.map(|point| point.compress().to_bytes());
    // The same points with the other sign of x, and with a y above the prime, 2^255 - 19, where there is one.
    let signs = small.map(|mut bytes| {
        bytes[31] ^= 0x80;
        bytes
    });
    let above = [0, 1].into_iter().flat_map(|y: u8| {
        [0x7F, 0xFF].map(|top| {
            let mut bytes = [0xFF; 32];
            (bytes[0], bytes[31]) = (0xED + y, top);
            bytes
        })
    });
    let all: Vec<_> = small.into_iter().chain(signs).chain(above).collect();
    let forgeries = all.iter().map(|r| verdicts(&key, b"pay", forged(&key, *r, b"pay")));
    let (ours, plain): (Vec<_>, Vec<_>) = forgeries.unzip();
    assert!(!ours.contains(&true));
    assert!(plain.contains(&true), "one of them is a signature to those who do not look");
}

proptest! {
    #[test]
    fn accepts_what_verify_strict_accepts(
        seed in any::<[u8; 32]>(),
        message in prop::collection::vec(0_u8..0xFF, 1..200),
        flip in prop::option::of((0_usize..64, 0_u8..8)),
        add_order in any::<bool>(),
    ) {
        let key = SigningKey::from_bytes(&seed);
        let mut signature = key.sign(&message).to_bytes();
        if let Some((byte, bit)) = flip {
            signature[byte] ^= 1 << bit;
        }
        if add_order {
            add_group_order(&mut signature);
        }
        prop_assert_eq!(verdicts(&key, &message, signature).0, flip.is_none() && !add_order);
    }
}

proptest! {
    #[test]
    fn in_company_each_gets_the_verdict_that_it_gets_alone(
        signatures in prop::collection::vec((any::<[u8; 32]>(), prop::option::of((0_usize..64, 0_u8..8))), 0..20),
    ) {
        let mut alone = Vec::new();
        let mut company = Vec::new();
        for (seed, flip) in signatures {
            let key = SigningKey::from_bytes(&seed);
            let mut signature = key.sign(b"pay").to_bytes();
            if let Some((byte, bit)) = flip {
                signature[byte] ^= 1 << bit;
            }
            if let Ok(verification) = Verification::begin(b"pay", &PublicKey::of(&key), &Signature::from(signature)) {
                alone.push(flip.is_none());
                company.push(verification);
            }
        }
        let together: Vec<_> = Verification::conclude_all(&company).into_iter().map(|verdict| verdict.is_ok()).collect();
        prop_assert_eq!(together, alone);
    }
}

/// Adds the group's order (RFC 8032 §5.1) to `S`, which names the same scalar.
fn add_group_order(signature: &mut [u8; 64]) {
    let minus_one = (-Scalar::ONE).to_bytes();
    let mut carry = 1_u16;
    for (byte, order) in signature[32..].iter_mut().zip(minus_one) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
}

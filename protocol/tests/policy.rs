//! What verifies and what does not, as tables over other people's vectors: RFC 8032 §7.1 and Project Wycheproof. Acceptance and refusal are
//! both asserted, and so is how many of each there are, so that a set that shrinks or an expectation that drifts is noticed.

// Vectors are constants: one that cannot be read is a mistake in this file or in the set.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use countersign_protocol::{KeyError, Message, MessageError, PublicKey, Signable, Signature};
use curve25519_dalek::constants::EIGHT_TORSION;
use ed25519_dalek::SigningKey;
use std::collections::BTreeMap;
use wycheproof::{
    TestResult,
    eddsa::{TestFlag, TestName, TestSet},
};

/// What becomes of one signature, on the only way there is to verify one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Accepted,
    /// The signature does not verify.
    Refused,
    /// The signature is not 64 bytes, so it cannot even be written down as one.
    WrongLength,
    /// The message is empty, and this protocol signs no empty messages.
    EmptyMessage,
}

fn verify(key: &[u8], message: &[u8], signature: &[u8]) -> Outcome {
    let key = PublicKey::admit(<[u8; 32]>::try_from(key).unwrap().into()).expect("every key of the sets is admitted");
    let message = match Message::try_from(message) {
        Ok(message) => message,
        Err(MessageError::Empty) => return Outcome::EmptyMessage,
        Err(error) => panic!("{error}"),
    };
    let Ok(signature) = <[u8; 64]>::try_from(signature) else { return Outcome::WrongLength };
    match Signable::Message(&message).verify(&key, &Signature::from(signature)) {
        Ok(()) => Outcome::Accepted,
        Err(_) => Outcome::Refused,
    }
}

/// Every kind of case in Wycheproof's Ed25519 set, by its flag: what the set says of it, what we do, and how many there are.
const WYCHEPROOF: &[(TestFlag, TestResult, Outcome, usize)] = &[
    (TestFlag::CompressedSignature, TestResult::Invalid, Outcome::WrongLength, 4),
    (TestFlag::InvalidEncoding, TestResult::Invalid, Outcome::Refused, 22),
    (TestFlag::InvalidKnownTestVector, TestResult::Invalid, Outcome::Refused, 1),
    (TestFlag::InvalidSignature, TestResult::Invalid, Outcome::Refused, 20),
    (TestFlag::SignatureMalleability, TestResult::Invalid, Outcome::Refused, 8),
    (TestFlag::SignatureWithGarbage, TestResult::Invalid, Outcome::WrongLength, 5),
    (TestFlag::TruncatedSignature, TestResult::Invalid, Outcome::WrongLength, 3),
    (TestFlag::KnownTestVector, TestResult::Valid, Outcome::Accepted, 36),
    (TestFlag::KnownTestVector, TestResult::Valid, Outcome::EmptyMessage, 2),
    (TestFlag::TinkOverflow, TestResult::Valid, Outcome::Accepted, 32),
    (TestFlag::Valid, TestResult::Valid, Outcome::Accepted, 16),
    (TestFlag::Valid, TestResult::Valid, Outcome::EmptyMessage, 2),
];

#[test]
fn wycheproof_is_accepted_and_refused_as_the_table_says() {
    let set = TestSet::load(TestName::Ed25519).unwrap();
    let mut counted: BTreeMap<String, usize> = BTreeMap::new();
    for group in &set.test_groups {
        for test in &group.tests {
            let outcome = verify(&group.key.pk, &test.msg, &test.sig);
            let [flag] = test.flags[..] else { panic!("case {} has not one flag", test.tc_id) };
            *counted.entry(format!("{flag:?} {:?} {outcome:?}", test.result)).or_default() += 1;
        }
    }
    let expected =
        WYCHEPROOF.iter().map(|(flag, result, outcome, count)| (format!("{flag:?} {result:?} {outcome:?}"), *count));
    assert_eq!(counted, expected.collect());
    assert_eq!(counted.values().sum::<usize>(), 151);
}

/// One of RFC 8032 §7.1, in hexadecimal.
struct Rfc8032 {
    name: &'static str,
    seed: &'static str,
    public_key: &'static str,
    message: &'static str,
    signature: &'static str,
}

/// All of §7.1 but "TEST 1024", whose message alone is twenty lines; it is one of Wycheproof's known test vectors above.
const RFC_8032: &[Rfc8032] = &[
    Rfc8032 {
        name: "TEST 2",
        seed: "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        public_key: "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        message: "72",
        signature: "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    },
    Rfc8032 {
        name: "TEST 3",
        seed: "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        public_key: "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        message: "af82",
        signature: "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    },
    Rfc8032 {
        name: "TEST SHA(abc)",
        seed: "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
        public_key: "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        message: "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        signature: "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
    },
];

#[test]
fn rfc_8032_is_signed_byte_for_byte_and_accepted() {
    for vector in RFC_8032 {
        let bytes = |text| hex::decode(text).unwrap();
        let key = SigningKey::from_bytes(&bytes(vector.seed).try_into().unwrap());
        let message = Message::try_from(bytes(vector.message)).unwrap();
        assert_eq!(hex::encode(PublicKey::of(&key).to_bytes().as_bytes()), vector.public_key, "{}", vector.name);
        assert_eq!(hex::encode(Signable::Message(&message).sign(&key).as_bytes()), vector.signature, "{}", vector.name);
        let outcome = verify(&bytes(vector.public_key), &bytes(vector.message), &bytes(vector.signature));
        assert_eq!(outcome, Outcome::Accepted, "{}", vector.name);

        let mut flipped = bytes(vector.signature);
        flipped[0] ^= 1;
        assert_eq!(
            verify(&bytes(vector.public_key), &bytes(vector.message), &flipped),
            Outcome::Refused,
            "{}",
            vector.name
        );
    }
}

#[test]
fn rfc_8032_test_1_has_the_message_that_this_protocol_does_not_sign() {
    let public_key = hex::decode("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a").unwrap();
    let signature = hex::decode("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b").unwrap();
    assert_eq!(verify(&public_key, b"", &signature), Outcome::EmptyMessage);
}

#[test]
fn no_key_of_another_kind_is_admitted() {
    let honest = SigningKey::from_bytes(&[9; 32]).verifying_key().to_edwards();
    let mut counted = BTreeMap::new();
    let small = EIGHT_TORSION.iter().map(|torsion| torsion.compress().0);
    let mixed = EIGHT_TORSION.iter().map(|torsion| (honest + torsion).compress().0);
    // A y at or above the prime fits into 255 bits for 19 values, each with either sign of x.
    let above = (0..19).flat_map(|y| [0x7F, 0xFF].map(|top| above_the_prime(y, top)));
    for bytes in small.chain(mixed).chain(above) {
        let outcome = match PublicKey::admit(bytes.into()) {
            Ok(_) => "admitted",
            Err(KeyError::NotOnCurve) => "not on curve",
            Err(KeyError::NotCanonical) => "not canonical",
            Err(KeyError::SmallOrder) => "small order",
            Err(KeyError::MixedOrder) => "mixed order",
            Err(KeyError::Encoding(error)) => panic!("{error}"),
        };
        *counted.entry(outcome).or_insert(0) += 1;
    }
    let expected = [
        ("admitted", 1), // the honest key plus the neutral point
        ("mixed order", 7),
        ("not canonical", 24),
        ("not on curve", 14),
        ("small order", 8),
    ];
    assert_eq!(counted, expected.into());
}

/// The bytes of y + p, whose lowest is 0xED + y; `top` holds the sign of x.
fn above_the_prime(y: u8, top: u8) -> [u8; 32] {
    let mut bytes = [0xFF; 32];
    (bytes[0], bytes[31]) = (0xED + y, top);
    bytes
}

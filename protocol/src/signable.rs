//! The only bytes this project ever signs, and the only place that builds, signs and verifies them.

use crate::{
    Audience, Challenge, Message, Origin, PublicKey, PublicKeyBytes, Signature,
    verification::{SignatureMismatch, Verification},
};
use alloc::borrow::Cow;
use ed25519_dalek::{Signer as _, SigningKey};

/// What an introduction's signed bytes start with: the reserved prefix, the purpose, and a zero that ends it.
const INTRODUCTION_CONTEXT: &[u8] = b"\xFFcountersign/v1/introduction\x00";

/// Something that may be signed. Signer and verifier both go through [`Signable::to_bytes`], so they cannot drift apart.
#[derive(Debug, Clone, Copy)]
pub enum Signable<'a> {
    /// A backend's message: its bytes as they are, so that a signature verifies anywhere without this crate.
    Message(&'a Message),
    /// The proof that a connection holds a key.
    Introduction {
        /// Fresh for this connection: an old proof is worth nothing.
        challenge: &'a Challenge,
        /// A proof by one key is no proof for another.
        public_key: &'a PublicKeyBytes,
        /// The server it is for: none can pass it on to another.
        audience: &'a Audience,
        /// The page it is from: none can obtain it for another.
        origin: &'a Origin,
    },
}

impl<'a> Signable<'a> {
    /// The bytes that are signed.
    pub fn to_bytes(self) -> Cow<'a, [u8]> {
        match self {
            Self::Message(message) => message.as_bytes().into(),
            Self::Introduction { challenge, public_key, audience, origin } => [
                INTRODUCTION_CONTEXT,
                challenge.as_bytes(),
                public_key.as_bytes(),
                &length_prefix(audience.as_str()),
                audience.as_str().as_bytes(),
                &length_prefix(origin.as_str()),
                origin.as_str().as_bytes(),
            ]
            .concat()
            .into(),
        }
    }

    /// Signs with a key that is at hand.
    pub fn sign(self, key: &SigningKey) -> Signature {
        key.sign(&self.to_bytes()).to_bytes().into()
    }

    /// Verifies as strictly as any library does: canonical `S` and `R`, cofactorless, no point of small order. It accepts what
    /// `verify_strict` of ed25519-dalek accepts, and what holds here holds in every library.
    ///
    /// # Errors
    /// [`SignatureMismatch`], which does not say why: the cause would only help a forger.
    pub fn verify(self, key: &PublicKey, signature: &Signature) -> Result<(), SignatureMismatch> {
        verify_bytes(&self.to_bytes(), key, signature)
    }
}

/// [`Signable::verify`] for who is handed the bytes of a [`Signable`] that another part of the program has built.
///
/// # Errors
/// [`SignatureMismatch`]
pub fn verify_bytes(bytes: &[u8], key: &PublicKey, signature: &Signature) -> Result<(), SignatureMismatch> {
    Verification::begin(bytes, key, signature)?.conclude()
}

/// The length of a text in two big-endian bytes. Audience and origin are both bounded far below 64 KiB.
fn length_prefix(text: &str) -> [u8; 2] {
    u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RESERVED_PREFIX;

    struct Fixture {
        key: SigningKey,
        challenge: Challenge,
        public_key: PublicKeyBytes,
        audience: Audience,
        origin: Origin,
    }

    impl Fixture {
        fn new() -> Self {
            let key = SigningKey::from_bytes(&[3; 32]);
            Self {
                public_key: PublicKey::of(&key).to_bytes(),
                key,
                challenge: [5; 32].into(),
                audience: "ws://localhost:8080/ws".parse().unwrap(),
                origin: "http://localhost:8080".parse().unwrap(),
            }
        }

        fn signable(&self) -> Signable<'_> {
            Signable::Introduction {
                challenge: &self.challenge,
                public_key: &self.public_key,
                audience: &self.audience,
                origin: &self.origin,
            }
        }
    }

    #[test]
    fn a_proof_holds_for_what_it_names_and_nothing_else() {
        let good = Fixture::new();
        let proof = good.signable().sign(&good.key);
        let key = PublicKey::of(&good.key);
        assert_eq!(good.signable().verify(&key, &proof), Ok(()));

        let spoil: [fn(&mut Fixture); 4] = [
            |f| f.challenge = [6; 32].into(),
            |f| f.public_key = [7; 32].into(),
            |f| f.audience = "wss://evil.example/ws".parse().unwrap(),
            |f| f.origin = Origin::default(),
        ];
        for spoil in spoil {
            let mut bad = Fixture::new();
            spoil(&mut bad);
            assert_eq!(bad.signable().verify(&key, &proof), Err(SignatureMismatch));
        }
    }

    #[test]
    fn every_flipped_bit_of_a_proof_breaks_it() {
        let good = Fixture::new();
        let proof = *good.signable().sign(&good.key).as_bytes();
        let key = PublicKey::of(&good.key);
        for bit in 0..512 {
            let mut flipped = proof;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(good.signable().verify(&key, &flipped.into()).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn an_introduction_can_never_be_a_message() {
        let bytes = Fixture::new().signable().to_bytes().into_owned();
        assert!(bytes.starts_with(RESERVED_PREFIX));
        assert!(Message::try_from(bytes).is_err());
    }

    #[test]
    fn fields_cannot_run_into_each_other() {
        let mut a = Fixture::new();
        a.audience = "ws://h/ab".parse().unwrap();
        a.origin = "c".parse().unwrap();
        let mut b = Fixture::new();
        b.audience = "ws://h/a".parse().unwrap();
        b.origin = "bc".parse().unwrap();
        assert_ne!(a.signable().to_bytes(), b.signable().to_bytes());
    }
}

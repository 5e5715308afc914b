//! A signature as it travels: 64 bytes, not yet checked against anything.

use crate::binary::base64_newtype;

/// An Ed25519 signature (RFC 8032 §5.1.6), 64 bytes. It says nothing until [`Signable::verify`](crate::Signable::verify) has held.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signature([u8; 64]);

base64_newtype!(Signature, 64, "signature");

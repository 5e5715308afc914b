//! A seed, encrypted under a passphrase and bound to what is said of it.

use crate::{cost::Cost, error::Error};
use chacha20poly1305::{AeadInOut, KeyInit, Tag, XChaCha20Poly1305};
use zeroize::Zeroizing;

/// The length of an encrypted seed with its tag.
pub const CIPHERTEXT_BYTES: usize = 48;

const SEED_BYTES: usize = 32;
const CONTEXT: &[u8] = b"countersign/v1/encrypted-key\x00";

/// The 32 secret bytes of a key (RFC 8032 §5.1.5), overwritten when dropped.
pub type Seed = Zeroizing<[u8; SEED_BYTES]>;

/// What a file says beside its ciphertext. Salt and nonce are random, and used for one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The key's public half.
    pub public_key: [u8; 32],
    /// What it costs to try a passphrase.
    pub cost: Cost,
    /// Makes the derived key this file's alone.
    pub salt: [u8; 16],
    /// The cipher's.
    pub nonce: [u8; 24],
}

impl Header {
    fn associated_data(&self) -> Vec<u8> {
        let [memory, iterations, lanes] = self.cost.to_bytes();
        [CONTEXT, &self.public_key, &memory, &iterations, &lanes, &self.salt, &self.nonce].concat()
    }

    fn cipher(&self, passphrase: &[u8]) -> Result<XChaCha20Poly1305, Error> {
        Ok(XChaCha20Poly1305::new((&*self.cost.derive(passphrase, &self.salt)?).into()))
    }
}

/// Encrypts a seed under a passphrase, which is UTF-8 in NFKC.
///
/// # Errors
/// [`Error::NoMemory`]
pub fn seal(header: &Header, passphrase: &[u8], seed: &Seed) -> Result<[u8; CIPHERTEXT_BYTES], Error> {
    let cipher = header.cipher(passphrase)?;
    let mut sealed = [0; CIPHERTEXT_BYTES];
    let (body, tag) = sealed.split_at_mut(SEED_BYTES);
    body.copy_from_slice(&**seed);
    let made = cipher.encrypt_inout_detached((&header.nonce).into(), &header.associated_data(), body.into());
    // It could only be longer than the cipher's 256 GiB.
    let too_long = Error::Length { what: "seed", found: seed.len(), expected: SEED_BYTES };
    tag.copy_from_slice(&made.map_err(|_| too_long)?);
    Ok(sealed)
}

/// Decrypts what [`seal`] made of a seed.
///
/// # Errors
/// [`Error::WrongPassphrase`] if passphrase, header or ciphertext is another; [`Error::NoMemory`].
pub fn open(header: &Header, passphrase: &[u8], sealed: &[u8; CIPHERTEXT_BYTES]) -> Result<Seed, Error> {
    let cipher = header.cipher(passphrase)?;
    let (body, tag) = sealed.split_at(SEED_BYTES);
    let mut seed = Seed::default();
    seed.copy_from_slice(body);
    let tag = Tag::try_from(tag).map_err(|_| Error::WrongPassphrase)?;
    cipher
        .decrypt_inout_detached((&header.nonce).into(), &header.associated_data(), seed.as_mut_slice().into(), &tag)
        .map_err(|_| Error::WrongPassphrase)?;
    Ok(seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSPHRASE: &[u8] = b"correct horse battery staple";

    fn header() -> Header {
        Header {
            public_key: [1; 32],
            cost: Cost::new(19_456, 1, 1).unwrap(),
            salt: *b"0123456789abcdef",
            nonce: [2; 24],
        }
    }

    fn seed() -> Seed {
        Seed::new([7; 32])
    }

    #[test]
    fn what_is_sealed_opens_to_the_same_seed() {
        let sealed = seal(&header(), PASSPHRASE, &seed()).unwrap();
        assert_eq!(open(&header(), PASSPHRASE, &sealed), Ok(seed()));
        assert!(!sealed.windows(4).any(|window| window == [7; 4]));
    }

    #[test]
    fn seals_as_argon2_in_c_and_libsodium_do() {
        assert_eq!(
            hex::encode(seal(&header(), PASSPHRASE, &seed()).unwrap()),
            "64f3b356b5c3e9fde1cc8af46d89438b42b3382e82edf1f31c804e00c56f543b929896c0f8cf01e9b164aa47edf8a8b9"
        );
    }

    #[test]
    fn every_part_of_a_file_counts() {
        let sealed = seal(&header(), PASSPHRASE, &seed()).unwrap();
        let spoil: [fn(&mut Header); 6] = [
            |h| h.public_key[31] ^= 1,
            |h| h.cost = Cost::new(19_457, 1, 1).unwrap(),
            |h| h.cost = Cost::new(19_456, 2, 1).unwrap(),
            |h| h.cost = Cost::new(19_456, 1, 2).unwrap(),
            |h| h.salt[0] ^= 1,
            |h| h.nonce[23] ^= 1,
        ];
        for (n, spoil) in spoil.into_iter().enumerate() {
            let mut other = header();
            spoil(&mut other);
            assert_eq!(open(&other, PASSPHRASE, &sealed), Err(Error::WrongPassphrase), "{n}");
        }
        for at in [0, 31, 32, 47] {
            let mut other = sealed;
            other[at] ^= 0x80;
            assert_eq!(open(&header(), PASSPHRASE, &other), Err(Error::WrongPassphrase), "byte {at}");
        }
        for other in [&b""[..], b"correct horse battery stapl", b"Correct horse battery staple"] {
            assert_eq!(open(&header(), other, &sealed), Err(Error::WrongPassphrase));
        }
    }
}

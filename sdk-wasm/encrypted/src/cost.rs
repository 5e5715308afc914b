//! What it costs to try a passphrase.

use crate::error::Error;
use argon2::{Algorithm, Argon2, Block, Params, Version};
use std::ops::RangeInclusive;
use zeroize::Zeroizing;

const MEMORY_KIB: RangeInclusive<u32> = 19_456..=262_144;
const ITERATIONS: RangeInclusive<u32> = 1..=12;
const LANES: RangeInclusive<u32> = 1..=16;

/// What it costs to try a passphrase (RFC 9106 §3.1), within the bounds of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    memory_kib: u32,
    iterations: u32,
    lanes: u32,
}

impl Cost {
    /// A cost within the bounds.
    ///
    /// # Errors
    /// [`Error::Cost`]
    pub fn new(memory_kib: u32, iterations: u32, lanes: u32) -> Result<Self, Error> {
        let bounds =
            [("memoryKib", memory_kib, MEMORY_KIB), ("iterations", iterations, ITERATIONS), ("lanes", lanes, LANES)];
        for (what, found, bounds) in bounds {
            if !bounds.contains(&found) {
                return Err(Error::Cost { what, found, least: *bounds.start(), most: *bounds.end() });
            }
        }
        Ok(Self { memory_kib, iterations, lanes })
    }

    /// The three numbers as associated data has them.
    pub(crate) fn to_bytes(self) -> [[u8; 4]; 3] {
        [self.memory_kib, self.iterations, self.lanes].map(u32::to_be_bytes)
    }

    /// Argon2id of a passphrase. All the memory it takes is overwritten afterwards.
    ///
    /// # Errors
    /// [`Error::NoMemory`]
    pub(crate) fn derive(self, passphrase: &[u8], salt: &[u8; 16]) -> Result<Zeroizing<[u8; 32]>, Error> {
        let no_memory = Error::NoMemory(self.memory_kib);
        let Ok(params) = Params::new(self.memory_kib, self.iterations, self.lanes, Some(32)) else {
            return Err(no_memory);
        };
        let mut blocks = Zeroizing::new(Vec::new());
        if blocks.try_reserve_exact(params.block_count()).is_err() {
            return Err(no_memory);
        }
        blocks.resize(params.block_count(), Block::new());
        let mut key = Zeroizing::new([0; 32]);
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        match argon2.hash_password_into_with_memory(passphrase, salt, &mut *key, &mut blocks[..]) {
            Ok(()) => Ok(key),
            Err(_) => Err(no_memory),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derives_what_the_reference_implementation_in_c_does() {
        let key = |memory, iterations, lanes| {
            let cost = Cost::new(memory, iterations, lanes).unwrap();
            hex::encode(*cost.derive(b"correct horse battery staple", b"0123456789abcdef").unwrap())
        };
        assert_eq!(key(19_456, 2, 1), "832e52b959b967b570ee4781f6c7bda7ced019ca266ac781fd2d94d4e853b0cd");
        assert_eq!(key(65_536, 3, 4), "efb51f9a76584f6dd6a4f7942a1a2f6ae5a6e4ec5142ff674dfd5d27eb45e446");
    }

    #[test]
    fn what_no_file_costs_is_refused_by_name() {
        for (memory, iterations, lanes, named) in [
            (19_455, 3, 4, "memoryKib"),
            (262_145, 3, 4, "memoryKib"),
            (u32::MAX, 3, 4, "memoryKib"),
            (65_536, 0, 4, "iterations"),
            (65_536, 13, 4, "iterations"),
            (65_536, 3, 0, "lanes"),
            (65_536, 3, 17, "lanes"),
        ] {
            let error = Cost::new(memory, iterations, lanes).unwrap_err();
            assert!(matches!(error, Error::Cost { what, .. } if what == named), "{error}");
        }
        for (memory, iterations, lanes) in [(19_456, 1, 1), (262_144, 12, 16)] {
            assert!(Cost::new(memory, iterations, lanes).is_ok());
        }
    }
}

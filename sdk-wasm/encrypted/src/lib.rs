#![doc = include_str!("../README.md")]

mod cost;
mod error;
mod export;

pub use crate::{
    cost::Cost,
    error::Error,
    export::{CIPHERTEXT_BYTES, Header, Seed, open, seal},
};

use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;
use zeroize::Zeroizing;

/// What a file says beside its ciphertext, as JavaScript hands it over.
#[wasm_bindgen]
pub struct CoreHeader(Header);

#[wasm_bindgen]
impl CoreHeader {
    /// Takes the parts of a header.
    ///
    /// # Errors
    /// [`Error::Length`], [`Error::Cost`]
    #[wasm_bindgen(constructor)]
    pub fn new(
        public_key: &[u8],
        memory_kib: u32,
        iterations: u32,
        lanes: u32,
        salt: &[u8],
        nonce: &[u8],
    ) -> Result<CoreHeader, JsValue> {
        let cost = Cost::new(memory_kib, iterations, lanes).map_err(thrown)?;
        Ok(Self(Header {
            public_key: exactly("public key", public_key)?,
            cost,
            salt: exactly("salt", salt)?,
            nonce: exactly("nonce", nonce)?,
        }))
    }

    /// Encrypts a seed: 48 bytes. The passphrase is overwritten here.
    ///
    /// # Errors
    /// [`Error::Length`], [`Error::NoMemory`]
    pub fn seal(&self, passphrase: Vec<u8>, seed: Vec<u8>) -> Result<Vec<u8>, JsValue> {
        let (passphrase, seed) = (Zeroizing::new(passphrase), Zeroizing::new(seed));
        let seed = Zeroizing::new(exactly("seed", &seed)?);
        seal(&self.0, &passphrase, &seed).map(Vec::from).map_err(thrown)
    }

    /// Decrypts a seed into JavaScript's memory. The passphrase is overwritten here.
    ///
    /// # Errors
    /// [`Error::Length`], [`Error::NoMemory`], [`Error::WrongPassphrase`]
    pub fn open(&self, passphrase: Vec<u8>, ciphertext: &[u8]) -> Result<Uint8Array, JsValue> {
        let passphrase = Zeroizing::new(passphrase);
        let seed = open(&self.0, &passphrase, &exactly("ciphertext", ciphertext)?).map_err(thrown)?;
        Ok(Uint8Array::from(seed.as_slice()))
    }
}

fn exactly<const N: usize>(what: &'static str, bytes: &[u8]) -> Result<[u8; N], JsValue> {
    bytes.try_into().map_err(|_| thrown(Error::Length { what, found: bytes.len(), expected: N }))
}

/// An error as TypeScript reads it: its code, a space and its sentence.
fn thrown(error: Error) -> JsValue {
    format!("{} {error}", error.code()).into()
}

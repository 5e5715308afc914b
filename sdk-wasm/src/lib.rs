//! The Countersign wallet for browsers and Node.js.
//!
//! [`wallet`] is the protocol's client side as a pure state machine, free of socket, clock, randomness and key; it runs and
//! is tested natively. This file binds it to JavaScript; the npm package `countersign` wraps the bindings in TypeScript.

#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

pub mod backoff;
mod batch;
mod driver;
pub mod effect;
pub mod error;
mod heartbeat;
#[allow(missing_docs, unreachable_pub)] // the macro's output, not an interface anybody sees
mod host;
mod journal;
pub mod keys;
mod memory;
mod open;
mod prelude;
mod queue;
pub mod record;
mod request;
mod table;
pub mod time;
mod verdict;
pub mod wallet;

use crate::prelude::*;
use crate::{
    backoff::BackoffLimits,
    driver::{Driver, request_id},
    error::Error,
    host::{Host, fill_with_random},
    keys::{Key, Seed},
    time::{Millis, Timestamp},
    wallet::{Closed, Config, Wallet},
};
use countersign_protocol::{
    Device, Message, Name, PublicKey, PublicKeyBytes, Reason, RejectCode, RejectScope, Signable, Signature,
};
use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;
use web_sys::CloseEvent;

/// A fifth of the code of the allocator that comes with the standard library.
#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ALLOCATOR: rlsf::SmallGlobalTlsf = rlsf::SmallGlobalTlsf::new();

/// A panic is a trap: a browser shows none of what it would say, and saying it takes 10 KB of code and texts.
#[cfg(target_arch = "wasm32")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

/// A key, as JavaScript holds it.
#[wasm_bindgen]
pub struct CoreKey(Key);

#[wasm_bindgen]
impl CoreKey {
    /// A new key, of bytes the platform draws straight into WebAssembly memory.
    ///
    /// # Errors
    /// [`Error::NoRandomness`]
    pub fn generate() -> Result<CoreKey, JsValue> {
        let mut seed = Seed::default();
        fill_with_random(&mut *seed).map_err(|_| thrown(Error::NoRandomness))?;
        Ok(Self(Key::from_seed(&seed)))
    }

    /// The key of a seed of 32 bytes.
    ///
    /// # Errors
    /// [`Error::InvalidSeed`]
    pub fn from_seed(seed: &Uint8Array) -> Result<CoreKey, JsValue> {
        let mut copy = Seed::default();
        if seed.length() as usize != copy.len() {
            return Err(thrown(Error::InvalidSeed(seed.length())));
        }
        seed.copy_to(&mut *copy);
        Ok(Self(Key::from_seed(&copy)))
    }

    /// The public key in base64.
    pub fn public_key(&self) -> String {
        self.0.public_key().to_string()
    }

    /// A copy of the seed in JavaScript's memory.
    ///
    /// # Errors
    /// [`Error::KeyFreed`]
    pub fn export_seed(&self) -> Result<Uint8Array, JsValue> {
        let seed = self.0.seed().map_err(thrown)?;
        Ok(Uint8Array::from(seed.as_slice()))
    }

    /// Signs any bytes: 64 bytes.
    ///
    /// # Errors
    /// [`Error::KeyFreed`]
    pub fn sign(&self, bytes: &[u8]) -> Result<Vec<u8>, JsValue> {
        self.0.sign_bytes(bytes).map(|signature| signature.as_bytes().to_vec()).map_err(thrown)
    }

    /// Overwrites the secret, for wallets that use it too.
    pub fn destroy(&self) {
        self.0.free();
    }
}

/// A wallet, as JavaScript holds it.
#[wasm_bindgen]
pub struct CoreWallet(Driver);

#[wasm_bindgen]
impl CoreWallet {
    /// A wallet that has not connected yet, and that has its host sign.
    ///
    /// # Errors
    /// [`Error::InvalidKey`], [`Error::InvalidUrl`]
    #[wasm_bindgen(constructor)]
    pub fn new(
        public_key: &str,
        audience: &str,
        origin: &str,
        backoff_initial_ms: f64,
        backoff_max_ms: f64,
        keeps: bool,
        host: Host,
    ) -> Result<CoreWallet, JsValue> {
        let bytes = public_key.parse().map_err(|error| thrown(invalid_key(&error)))?;
        let public_key = PublicKey::admit(bytes).map_err(|error| thrown(invalid_key(&error)))?;
        let backoff = backoff(backoff_initial_ms, backoff_max_ms);
        Self::driven(public_key, None, audience, origin, backoff, keeps, host)
    }

    /// As `new`, but signs with a key in WebAssembly memory.
    ///
    /// # Errors
    /// [`Error::InvalidUrl`]
    pub fn of_key(
        key: &CoreKey,
        audience: &str,
        origin: &str,
        backoff_initial_ms: f64,
        backoff_max_ms: f64,
        keeps: bool,
        host: Host,
    ) -> Result<CoreWallet, JsValue> {
        let backoff = backoff(backoff_initial_ms, backoff_max_ms);
        Self::driven(key.0.public_key().clone(), Some(key.0.clone()), audience, origin, backoff, keeps, host)
    }

    /// What the host's signer gave for a task; unverified.
    pub fn signed(&self, task: f64, signature: &[u8]) {
        self.0.signed(task, signature);
    }

    /// Says why the host's signer gave nothing for a task.
    pub fn sign_failed(&self, task: f64, why: &str) {
        self.0.sign_failed(task, why);
    }

    /// Says which device this is, from the next introduction on.
    ///
    /// # Errors
    /// [`Error::InvalidDevice`]
    pub fn identify(&self, id: &str, label: &str) -> Result<(), JsValue> {
        self.attempt(|wallet, _| device(id, label).map(|device| wallet.set_device(Some(device))))
    }

    /// Takes in one record that an earlier life of the wallet had kept; false where it is none.
    pub fn restore(&self, record: &str, expires_in_ms: f64) -> bool {
        self.0.restore(record, expires_in_ms)
    }

    /// Says what became of a change to the store; `error` is why it failed.
    pub fn stored(&self, task: f64, error: Option<String>) {
        self.0.stored(task, error);
    }

    /// Starts connecting.
    pub fn connect(&self) {
        self.0.input(Wallet::connect);
    }

    /// Ends the connection and all open requests.
    pub fn close(&self) {
        self.0.input(|wallet, _| wallet.close());
    }

    /// The socket the host was asked for is open.
    pub fn opened(&self) {
        self.0.input(|wallet, _| wallet.handle_opened());
    }

    /// A message came in: a text, or without one so many units of a text that is too long, or none of what is binary.
    pub fn received(&self, text: Option<String>, units: u32) {
        self.0.received(text.as_deref(), units);
    }

    /// The socket has closed.
    pub fn closed(&self, event: &CloseEvent) {
        self.0.closed(Closed::Code(event.code(), event.reason()));
    }

    /// The socket the host was asked for could not even be made.
    pub fn not_made(&self, why: String) {
        self.0.closed(Closed::NotMade(why));
    }

    /// Does what is due, once the host was asked to wake it. Early is harmless.
    pub fn wake(&self) {
        self.0.wake();
    }

    /// Takes note that a human sees a request.
    ///
    /// # Errors
    /// [`Error::NotOpen`]
    pub fn displayed(&self, id: &str) -> Result<(), JsValue> {
        self.attempt(|wallet, _| wallet.displayed(request_id(id)?))
    }

    /// Signs and answers a request.
    ///
    /// # Errors
    /// [`Error::NotOpen`], [`Error::AlreadyAnswered`], [`Error::InvalidAnswer`]
    pub fn approve(&self, id: &str, approved_by: &str) -> Result<(), JsValue> {
        self.attempt(|wallet, now| {
            let approved_by = approved_by.parse().map_err(|error: String| Error::InvalidAnswer(error.into()))?;
            wallet.approve(now, request_id(id)?, approved_by)
        })
    }

    /// Declines a request.
    ///
    /// # Errors
    /// [`Error::NotOpen`], [`Error::AlreadyAnswered`], [`Error::InvalidAnswer`]
    pub fn reject(&self, id: &str, code: &str, reason: Option<String>, scope: &str) -> Result<(), JsValue> {
        self.attempt(|wallet, now| {
            let code = RejectCode::from_name(code).map_err(|error| invalid("code", &error))?;
            let scope = RejectScope::from_name(scope).map_err(|error| invalid("scope", &error))?;
            let reason = reason.map(|text| text.parse::<Reason>()).transpose();
            wallet.reject(now, request_id(id)?, code, reason.map_err(|error| invalid("reason", &error))?, scope)
        })
    }

    fn driven(
        public_key: PublicKey,
        key: Option<Key>,
        audience: &str,
        origin: &str,
        backoff: BackoffLimits,
        keeps: bool,
        host: Host,
    ) -> Result<CoreWallet, JsValue> {
        let invalid_url = |error: &dyn core::fmt::Display| thrown(Error::InvalidUrl(text(error)));
        let config = Config {
            public_key,
            audience: audience.parse().map_err(|error| invalid_url(&error))?,
            origin: origin.parse().map_err(|error| invalid_url(&error))?,
            device: None,
            backoff,
            keeps,
        };
        Ok(Self(Driver::new(config, key, host)))
    }

    fn attempt(&self, attempt: impl FnOnce(&mut Wallet, Timestamp) -> Result<(), Error>) -> Result<(), JsValue> {
        self.0.input(attempt).map_err(thrown)
    }
}

/// Whether a signature holds over a message, by the protocol's strict rules.
///
/// # Errors
/// [`Error::InvalidPublicKey`], [`Error::InvalidSignature`], [`Error::InvalidMessage`] for what cannot be read; a key that can
/// be read and is not admitted verifies nothing.
#[wasm_bindgen]
pub fn verify(public_key: &str, message: &[u8], signature: &str) -> Result<bool, JsValue> {
    let bytes: PublicKeyBytes = public_key.parse().map_err(|error| thrown(Error::InvalidPublicKey(text(&error))))?;
    let signature: Signature = signature.parse().map_err(|error| thrown(Error::InvalidSignature(text(&error))))?;
    let message = Message::try_from(message).map_err(|error| thrown(Error::InvalidMessage(text(&error))))?;
    Ok(PublicKey::admit(bytes).is_ok_and(|key| Signable::Message(&message).verify(&key, &signature).is_ok()))
}

/// A float becomes the nearest whole number there is, and NaN becomes 0.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn backoff(initial_ms: f64, max_ms: f64) -> BackoffLimits {
    BackoffLimits { initial: Millis(initial_ms as u64), max: Millis(max_ms as u64) }
}

fn device(id: &str, label: &str) -> Result<Device, Error> {
    let invalid = |what, error| Error::InvalidDevice(format!("{what}: {error}").into());
    Ok(Device {
        id: id.parse().map_err(|error| invalid("id", error))?,
        label: label.parse().map_err(|error| invalid("label", error))?,
    })
}

fn invalid(what: &str, error: &dyn core::fmt::Display) -> Error {
    Error::InvalidAnswer(format!("{what}: {error}").into())
}

fn invalid_key(error: &dyn core::fmt::Display) -> Error {
    Error::InvalidKey(text(error))
}

fn text(error: &dyn core::fmt::Display) -> Box<str> {
    error.to_string().into()
}

/// An error as TypeScript reads it: its code, a space and its sentence.
fn thrown(error: Error) -> JsValue {
    format!("{} {error}", error.code()).into()
}

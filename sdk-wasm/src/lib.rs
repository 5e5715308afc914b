//! The Countersign wallet for browsers and Node.js.
//!
//! [`wallet`] is the protocol's client side as a pure state machine, free of socket, clock, randomness and key; it runs and
//! is tested natively. This file binds it to JavaScript; the npm package `countersign` wraps the bindings in TypeScript.

#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;
// For its allocator and panic handler.
extern crate countersign_bare as _;

pub mod backoff;
mod driver;
pub mod effect;
pub mod error;
mod heartbeat;
#[allow(missing_docs, unreachable_pub)] // the macro's output, not an interface anybody sees
mod host;
pub mod nodes;
mod prelude;
mod queue;
pub mod record;
mod requests;
pub mod time;
pub mod wallet;

use crate::prelude::*;
use crate::{
    backoff::BackoffLimits,
    driver::{Driver, request_id},
    error::Error,
    host::Host,
    nodes::Nodes,
    time::{Millis, Timestamp},
    wallet::{Closed, Config, Wallet},
};
use countersign_protocol::{Audience, Device, Reason, RejectCode, RejectScope, WireName};
use wasm_bindgen::prelude::*;
use web_sys::CloseEvent;

/// A wallet, as JavaScript holds it.
#[wasm_bindgen]
pub struct CoreWallet(Driver);

#[wasm_bindgen]
impl CoreWallet {
    /// A wallet that has not connected yet. `audience` is the URL it dials, first if others are added.
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
        let config = Config {
            public_key: public_key.parse().map_err(|error| thrown(Error::InvalidKey(text(&error))))?,
            nodes: Nodes::new(node(audience).map_err(thrown)?),
            origin: origin.parse().map_err(|error| thrown(Error::InvalidUrl(text(&error))))?,
            device: None,
            backoff: backoff(backoff_initial_ms, backoff_max_ms),
            keeps,
        };
        Ok(Self(Driver::new(config, host)))
    }

    /// Adds a node of the same server, to be dialled after those before it.
    ///
    /// # Errors
    /// [`Error::InvalidUrl`]
    pub fn add_node(&self, audience: &str) -> Result<(), JsValue> {
        self.attempt(|wallet, _| node(audience).map(|audience| wallet.add_node(audience)))
    }

    /// What the host gives for a task: a signature that it has verified.
    pub fn signed(&self, task: f64, signature: &[u8]) {
        self.0.signed(task, signature);
    }

    /// Says why there is no signature for a task.
    pub fn sign_failed(&self, task: f64, code: &str, why: &str) {
        self.0.sign_failed(task, Error::of_signer(code, why));
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

    fn attempt(&self, attempt: impl FnOnce(&mut Wallet, Timestamp) -> Result<(), Error>) -> Result<(), JsValue> {
        self.0.input(attempt).map_err(thrown)
    }
}

/// A float becomes the nearest whole number there is, and NaN becomes 0.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn backoff(initial_ms: f64, max_ms: f64) -> BackoffLimits {
    BackoffLimits { initial: Millis(initial_ms as u64), max: Millis(max_ms as u64) }
}

fn node(audience: &str) -> Result<Audience, Error> {
    Audience::from_url(audience).map_err(|error| Error::InvalidUrl(format!("{audience}: {error}").into()))
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

fn text(error: &dyn core::fmt::Display) -> Box<str> {
    error.to_string().into()
}

/// An error as TypeScript reads it: its code, a space and its sentence.
fn thrown(error: Error) -> JsValue {
    format!("{} {error}", error.code()).into()
}

//! One wallet's connection: [`drive`] runs it on any stream and sink of text frames, on the caller's task and without `Send`.

mod client;
pub(crate) mod conversation;
mod delayed_ack;
mod driver;
mod frame_rate;
mod read_limit;
mod socket;
mod yield_once;

pub use client::Client;
pub use driver::drive;
#[cfg(feature = "http")]
pub(crate) use driver::drive_within;
pub(crate) use read_limit::ReadLimit;
pub use socket::{Exit, Halves, Incoming, Outgoing};
#[cfg(feature = "http")]
pub(crate) use yield_once::yield_once;

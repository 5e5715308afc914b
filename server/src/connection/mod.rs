//! One wallet's connection: [`drive`] runs it on any stream and sink of text frames, on the caller's task and without `Send`.

pub(crate) mod conversation;
mod delayed_ack;
mod driver;
mod frame_rate;
mod socket;

pub use driver::drive;
pub use socket::{Exit, Halves, Incoming, Outgoing};

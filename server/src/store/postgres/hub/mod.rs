//! What goes between nodes by way of the database: who is there, whose wallet is where, and letters.
//!
//! It has a connection and a task of its own, beside those that write requests, so that neither waits for the other. The rows are the truth:
//! whoever is in `nodes` is a node, whatever is in `presence` is connected. Notifications carry letters, and may be lost.

mod as_text;
mod envelope;
mod inbox;
mod lease;
mod letters;
mod link;
mod post;
mod presence;
mod statements;
mod task;
mod waiting;

#[cfg(feature = "http")]
pub(crate) use post::HubState;
pub(super) use post::post;
pub(in crate::store) use post::{Order, Post};
pub(super) use task::HubTask;

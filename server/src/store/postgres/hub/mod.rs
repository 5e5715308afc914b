//! What goes between nodes by way of the database: who is there, whose wallet is where, and packets.
//!
//! It has a connection and a task of its own, beside those that write requests, so that neither waits for the other. The rows are the truth:
//! whoever is in `nodes` is a node, whatever is in `presence` is connected. Notifications carry packets, and may be lost.

mod as_text;
mod envelope;
mod inbox;
mod lease;
mod link;
mod orders;
mod packets;
mod presence;
mod statements;
mod task;
mod waiting;

#[cfg(feature = "http")]
pub(crate) use orders::HubState;
pub(super) use orders::order_channel;
pub(in crate::store) use orders::{Order, OrderSender};
pub(super) use task::HubTask;

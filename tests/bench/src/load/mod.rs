//! The load: one program for every server, so that what differs is the server.

pub(crate) mod backend;
mod dialect;
pub(crate) mod nats;
pub(crate) mod requester;
pub(crate) mod wallet;
mod websocket;

pub(crate) use dialect::{Dialect, Heard};
pub(crate) use requester::{Ask, Asks, Plan, Requester, Schedule, run};

//! What administrators see and do, on a listener of its own: neither a full house on the public one nor a server that stops locks them out.

mod actions;
mod blocks;
mod cancel;
mod connections;
mod keys;
mod operator;
mod page;
mod path;
mod purge;
mod reload;
mod requests;
mod routes;
mod serve;
mod state;
mod status;
mod webhooks;

pub(super) use serve::start;

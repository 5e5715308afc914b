//! The whole of Countersign in one thread and in no time: the real service, the real conversations and the real wallets, in a world
//! whose clock, network, disk, people and misfortunes come from one seed.
//!
//! The same seed gives the same run, to the last byte. `cargo run -p countersign-tests --bin simulate -- --help`

mod backends;
mod call_queue;
mod clocks;
mod coverage;
mod database;
mod environment;
mod events;
mod hostile;
mod invariants;
mod network;
mod operator;
mod plan;
mod prompts;
mod server;
mod server_storage;
mod servers;
mod storage;
mod trace;
mod wallet_storage;
mod wallets;
mod watching;
mod worker;
mod world;

pub use coverage::{Coverage, Seen};
pub use environment::{Fault, Options};
pub use invariants::Violation;
pub use world::{Outcome, run};

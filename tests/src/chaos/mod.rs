//! The real server in a bad world, and what honest wallets and backends see of it.

mod honest;
pub mod hostile;

pub use honest::{Honest, Seen};

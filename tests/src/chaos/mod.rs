//! The real server in a bad world, and what honest wallets and backends see of it.

mod honest;
pub mod hostile;
mod machine;

pub use honest::{Honest, Seen};
pub use machine::Machine;

//! Several real servers on one real database, and everybody who uses them: wallets, backends, and a ledger of what each of them was told.

mod backends;
mod database_proxy;
mod intent;
mod ledger;
mod memory;
mod nodes;
mod wallet;

pub use backends::{Caller, Mix};
pub use database_proxy::{DatabaseProxy, Mood};
pub use intent::{Does, Intent};
pub use ledger::{Ledger, Sum};
pub use nodes::Node;
pub use wallet::Device;

//! A server under load while its database is backed up, and what one that is started on the backup has to know.

mod check;
mod load;
mod receipt;
mod wallet;

pub use check::{Found, check};
pub use load::{Load, Moment};
pub use receipt::verify_receipt;

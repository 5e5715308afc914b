//! Several nodes as one server: any of them takes a call, any of them has the wallet.
//!
//! A request lives on one node, its *owner*, which decides its end as a single server does. A wallet's connection lives on one node, its
//! *host*. Where these are two, the host's connection is one more connection in the owner's registry, and what they say to each other
//! goes by letter. A letter may be lost, as a socket may break; what was lost is made good by beginning anew, not by sending it again: the
//! owner puts its open requests to the wallet once more, and the wallet says once more what it has answered.

mod guests;
mod hub;
mod inquiries;
mod letter;
mod links;
mod moves;
mod node;
mod overruled;
mod watches;

pub(crate) use guests::{Guest, Guests, Taken};
pub(crate) use inquiries::{Exhausted, Inquiries, Step};
pub(crate) use links::Links;
pub(crate) use moves::{Moves, ON_THE_WAY};
pub(crate) use overruled::Overruled;
pub(crate) use watches::{Knowledge, Watches};

pub use hub::{Hub, Listener, Nodes, Presence};
pub use letter::{Letter, Mail};
pub use node::NodeId;

//! What a connection is before anything is asked on it: who is at the other end, how it is read and written, how many there may be.

mod admin_socket;
mod certificate;
mod connection_limit;
mod forwarded;
mod frame_gate;
mod lingering_close;
mod network;
mod party;
mod peer;
mod rate;
mod stream;
mod tls;
mod unread_body;
mod write_timeout;

pub use admin_socket::{AdminAddress, AdminAddressError, AdminSocket};
pub(super) use admin_socket::{AdminListener, AdminStream};
pub(super) use connection_limit::{ConnectionLimit, LimitReached};
pub(super) use forwarded::{client, is_trusted};
pub(super) use frame_gate::{FrameGate, MessageTooLong};
pub(super) use lingering_close::LingeringClose;
pub use network::{Network, NetworkError};
pub(super) use party::Party;
pub(super) use peer::Peer;
pub(super) use rate::{KeyedRate, RateExceeded};
pub(super) use stream::MaybeTlsStream;
pub use tls::{Expiry, Tls, TlsError};
pub(super) use unread_body::{LentBody, lend};
pub(super) use write_timeout::WriteTimeout;

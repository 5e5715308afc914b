//! Which administrator calls.

use super::state::Admin;
use crate::http::api::Problem;
use std::net::IpAddr;
use warp::http::{HeaderMap, StatusCode, header};

/// Where a connection comes from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Origin {
    /// An IP address.
    Address(IpAddr),
    /// A process of this user, on this machine; none where the system does not say.
    User(Option<u32>),
}

/// Who it is.
#[derive(Debug)]
pub(super) struct Operator {
    /// The name of their token, `uid:` and the user's number, or `local`.
    pub(super) name: String,
    pub(super) address: Option<IpAddr>,
}

/// Finds out who calls, and whether they may. The file of a Unix socket has let nobody in who may not. By TCP there is a token, or where
/// none is configured, and the address is this machine's own, at least no web page: one that rebinds its name to 127.0.0.1 calls under that
/// name, and one that calls another's says its own in `Origin`.
pub(super) fn admit(admin: &Admin, origin: Origin, headers: &HeaderMap) -> Result<Operator, Problem> {
    if headers.contains_key(header::ORIGIN) {
        return Err(Problem::new(StatusCode::FORBIDDEN, "host_not_allowed", "no page may call the admin API"));
    }
    match origin {
        Origin::User(user) => {
            let name = user.map_or_else(|| "uid:unknown".into(), |user| format!("uid:{user}"));
            Ok(Operator { name, address: None })
        }
        Origin::Address(address) => {
            let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
            let known = admin.tokens.requester(text(header::AUTHORIZATION), text(header::HOST))?;
            let name = if admin.tokens.is_open() { "local".into() } else { known.name.as_str().to_owned() };
            Ok(Operator { name, address: Some(address) })
        }
    }
}

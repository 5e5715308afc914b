//! Names of this machine.

use std::net::Ipv4Addr;

/// Whether a `Host` names this machine, with or without a port.
pub(super) fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        Some(_) | None => host,
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<Ipv4Addr>().is_ok_and(|v4| v4.is_loopback())
        || name == "[::1]"
}

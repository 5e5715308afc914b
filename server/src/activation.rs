//! A listener that the service manager hands over (`sd_listen_fds(3)`), so that whoever connects while the process starts anew waits
//! instead of being refused.

use listenfd::ListenFd;
use std::{io, net::SocketAddr};
use thiserror::Error;
use tokio::net::TcpListener;

/// Why a listener that was handed over is not used.
#[derive(Debug, Error)]
pub(crate) enum ActivationError {
    #[error(
        "{0} sockets were handed over (LISTEN_FDS), and one is needed: leave one ListenStream= in the .socket unit"
    )]
    Several(usize),
    #[error("the socket that was handed over (LISTEN_FDS) is not one to listen on by TCP: {0}")]
    NotTcp(io::Error),
    #[error(
        "--listen {listen} contradicts the socket that was handed over (LISTEN_FDS), which is at {bound}: leave --listen out, or \
         change ListenStream= in the .socket unit"
    )]
    Contradiction { listen: SocketAddr, bound: SocketAddr },
    #[error("--demo starts the process anew by itself, which goes with no socket that was handed over (LISTEN_FDS)")]
    Demo,
}

/// What was handed over, if anything was. Changes the environment, so no other thread may run yet.
pub(crate) fn inherited() -> Result<Option<std::net::TcpListener>, ActivationError> {
    let mut sockets = ListenFd::from_env();
    match sockets.len() {
        0 => Ok(None),
        1 => sockets.take_tcp_listener(0).map_err(ActivationError::NotTcp),
        several => Err(ActivationError::Several(several)),
    }
}

/// The listener for use in a runtime, if what the settings say is not something else.
pub(crate) fn listener(
    inherited: std::net::TcpListener,
    listen: Option<SocketAddr>,
    demo: bool,
) -> Result<TcpListener, ActivationError> {
    let bound = inherited.local_addr().map_err(ActivationError::NotTcp)?;
    if let Some(listen) = listen.filter(|listen| !agrees(*listen, bound)) {
        return Err(ActivationError::Contradiction { listen, bound });
    }
    if demo {
        return Err(ActivationError::Demo);
    }
    inherited.set_nonblocking(true).and_then(|()| TcpListener::from_std(inherited)).map_err(ActivationError::NotTcp)
}

/// Whether a socket is where it was wanted. Port 0 is any port, and `ListenStream=8080` is `[::]:8080`, which takes IPv4 too.
fn agrees(listen: SocketAddr, bound: SocketAddr) -> bool {
    let (wanted, actual) = (listen.ip().to_canonical(), bound.ip().to_canonical());
    let same_host = wanted == actual || wanted.is_unspecified() && actual.is_unspecified();
    same_host && (listen.port() == 0 || listen.port() == bound.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_same_place_is_no_contradiction() {
        for (listen, bound, expected) in [
            ("127.0.0.1:8080", "127.0.0.1:8080", true),
            ("127.0.0.1:0", "127.0.0.1:8080", true),
            ("0.0.0.0:443", "[::]:443", true),
            ("127.0.0.1:8080", "[::ffff:127.0.0.1]:8080", true),
            ("127.0.0.1:8081", "127.0.0.1:8080", false),
            ("127.0.0.1:8080", "0.0.0.0:8080", false),
            ("0.0.0.0:8080", "127.0.0.1:8080", false),
        ] {
            assert_eq!(agrees(listen.parse().unwrap(), bound.parse().unwrap()), expected, "{listen} {bound}");
        }
    }
}

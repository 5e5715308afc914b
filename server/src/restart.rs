//! The process in place of itself: for `--demo`, where a visitor may want to see what survives that.

use std::{
    convert::Infallible, env, ffi::OsString, io, net::SocketAddr, os::unix::process::CommandExt, process::Command,
    time::Duration,
};

/// Tells the next process for how long, in milliseconds, it is to wait before it does anything.
pub(crate) const START_AFTER: &str = "COUNTERSIGN_START_AFTER_MS";

const LISTEN: &str = "--listen";

/// Ends this process as a crash would and starts the same program anew, on the same address, after the time `down`. Sockets, locks and
/// memory go; standard input, output and error stay.
///
/// # Errors
/// Where the program could not be started; this process then goes on.
pub(crate) fn restart(bound: SocketAddr, down: Duration) -> io::Result<Infallible> {
    // Port 0 would have the system choose another one.
    let arguments = without_listen(env::args_os().skip(1));
    let mut next = Command::new(env::current_exe()?);
    next.args(arguments).env("COUNTERSIGN_LISTEN", bound.to_string()).env(START_AFTER, down.as_millis().to_string());
    Err(next.exec())
}

/// The arguments without `--listen ADDRESS`, so that the environment's holds.
fn without_listen(arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut left = Vec::new();
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        match argument.to_str() {
            Some(LISTEN) => {
                arguments.next();
            }
            Some(text) if text.strip_prefix(LISTEN).is_some_and(|rest| rest.starts_with('=')) => {}
            Some(_) | None => left.push(argument),
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_left_to_the_environment() {
        for given in [
            vec!["--listen", "127.0.0.1:0", "--demo", "--log", "info"],
            vec!["--demo", "--listen=127.0.0.1:0", "--log", "info"],
            vec!["--demo", "--log", "info", "--listen", "127.0.0.1:0"],
        ] {
            let left = without_listen(given.into_iter().map(OsString::from));
            assert_eq!(left, ["--demo", "--log", "info"]);
        }
    }
}

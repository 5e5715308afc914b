//! The process in place of itself: for `--demo`, where a visitor may want to see what survives that.

use std::{
    convert::Infallible, env, ffi::OsString, io, net::SocketAddr, os::unix::process::CommandExt, process::Command,
};

const LISTEN: &str = "--listen";

/// Ends this process as a crash would and starts the same program anew, on the same address. Sockets, locks and memory go; standard
/// input, output and error stay.
///
/// # Errors
/// Where the program could not be started; this process then goes on.
pub(crate) fn restart(bound: SocketAddr) -> io::Result<Infallible> {
    // Port 0 would have the system choose another one.
    let arguments = without_listen(env::args_os().skip(1));
    Err(Command::new(env::current_exe()?).args(arguments).env("COUNTERSIGN_LISTEN", bound.to_string()).exec())
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

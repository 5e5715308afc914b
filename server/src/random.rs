//! The server's one source of randomness.

/// Bytes of the operating system's generator.
///
/// Without it neither challenges nor ids can be trusted, and there is nothing sensible left to do.
#[allow(clippy::expect_used)] // not reachable from outside: the system call fails on no supported system after boot
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

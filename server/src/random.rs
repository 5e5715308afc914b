//! The server's one source of randomness.

use std::cell::RefCell;

/// How many bytes are fetched at once: a system call for each id would cost more than the id.
const POOL_BYTES: usize = 1024;

/// Bytes of the operating system's generator that nobody has been given yet.
struct Pool {
    bytes: [u8; POOL_BYTES],
    left: usize,
}

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool { bytes: [0; POOL_BYTES], left: 0 }) };
}

/// Bytes of the operating system's generator, each given out once and then forgotten.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    const { assert!(N <= POOL_BYTES) };
    POOL.with_borrow_mut(|pool| {
        if pool.left < N {
            fill(&mut pool.bytes);
            pool.left = POOL_BYTES;
        }
        let mut given = [0; N];
        if let Some(fresh) = pool.bytes.get_mut(pool.left - N..pool.left) {
            given.copy_from_slice(fresh);
            fresh.fill(0);
        }
        pool.left -= N;
        given
    })
}

/// Without the system's generator neither challenges nor ids can be trusted, and there is nothing sensible left to do.
#[allow(clippy::expect_used)] // not reachable from outside: the system call fails on no supported system after boot
fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the operating system gives random bytes");
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_bytes_are_given_twice() {
        let mut given: HashSet<[u8; 16]> = (0..1000).map(|_| bytes()).collect();
        for _ in 0..1000 {
            let long: [u8; 32] = bytes();
            given.insert(long[..16].try_into().unwrap());
            given.insert(long[16..].try_into().unwrap());
        }
        assert_eq!(given.len(), 3000);
    }
}

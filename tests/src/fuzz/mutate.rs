//! Inputs made of others.

/// What readers often stumble over.
const MORSELS: [&[u8]; 14] = [
    b"\0",
    b"\r\n",
    b"\"",
    b"\\u0000",
    b"\\ud800",
    b"{",
    b"[",
    b"-1",
    b"18446744073709551616",
    b"1e999",
    b"null",
    b"\xff",
    b"\xe2\x80\xae",
    b",",
];

/// One of `seeds`, changed in a few places.
pub fn mutated(seeds: &[Vec<u8>], rng: &mut fastrand::Rng) -> Vec<u8> {
    let mut input = rng.choice(seeds).cloned().unwrap_or_default();
    for _ in 0..rng.usize(1..=4) {
        let at = rng.usize(0..=input.len());
        let end = rng.usize(at..=input.len().min(at + 16));
        match rng.u8(0..7) {
            0 if at < input.len() => input[at] ^= 1 << rng.u8(0..8),
            1 if at < input.len() => input[at] = rng.u8(..),
            2 => drop(input.drain(at..end)),
            3 => {
                let again = input[at..end].to_vec();
                input.splice(at..at, again);
            }
            4 => input.truncate(at),
            5 => {
                let other = rng.choice(seeds).map_or(&[][..], Vec::as_slice);
                let from = rng.usize(0..=other.len());
                input.splice(at.., other[from..].iter().copied());
            }
            _ => {
                let morsel = MORSELS[rng.usize(0..MORSELS.len())];
                input.splice(at..end, morsel.iter().copied());
            }
        }
    }
    input
}

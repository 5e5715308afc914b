//! What anybody may send or leave on a disk, as functions of bytes: nothing in here may panic, and nothing else may follow from it than
//! an error that says so. `make fuzz` has libFuzzer find the bytes; the tests make some out of the vectors, the same at every run.

mod mutate;
mod rows;
mod wire;

pub use mutate::mutated;

/// One surface.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, as in `make fuzz TARGET=frames`.
    pub name: &'static str,
    /// Whole inputs to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Fails by panicking.
    pub run: fn(&[u8]),
    /// How many inputs a test makes of the seeds: some take a server or a file each.
    pub short: usize,
}

/// All of them.
pub const TARGETS: [Target; 4] = [
    Target { name: "frames", seeds: wire::frame_seeds, run: wire::frames, short: 100_000 },
    Target { name: "http", seeds: wire::http_seeds, run: wire::http, short: 3_000 },
    Target { name: "websocket", seeds: wire::websocket_seeds, run: wire::websocket, short: 2_000 },
    Target { name: "rows", seeds: rows::seeds, run: rows::rows, short: 300 },
];

/// The target of that name.
pub fn target(name: &str) -> Option<Target> {
    TARGETS.into_iter().find(|target| target.name == name)
}

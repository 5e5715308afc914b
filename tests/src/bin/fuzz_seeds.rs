//! Writes what each surface's fuzzing begins with where cargo-fuzz looks for it.

use countersign_tests::{documents::repository, fuzz::TARGETS};
use std::fs;

fn main() {
    for target in TARGETS {
        let folder = repository().join("tests/fuzz/corpus").join(target.name);
        fs::create_dir_all(&folder).unwrap();
        for (n, seed) in (target.seeds)().iter().enumerate() {
            fs::write(folder.join(format!("seed-{n:04}")), seed).unwrap();
        }
    }
}

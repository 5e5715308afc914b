//! Some inputs to each surface, the same at every run; `make fuzz` finds others.

use countersign_tests::fuzz::{mutated, target};

fn fuzz(name: &str) {
    let target = target(name).unwrap();
    let seeds = (target.seeds)();
    seeds.iter().for_each(|seed| (target.run)(seed));
    let mut rng = fastrand::Rng::with_seed(1);
    for _ in 0..target.short {
        (target.run)(&mutated(&seeds, &mut rng));
    }
}

#[test]
fn frames() {
    fuzz("frames");
}

#[test]
fn http() {
    fuzz("http");
}

#[test]
fn websocket() {
    fuzz("websocket");
}

#[test]
fn rows() {
    fuzz("rows");
}

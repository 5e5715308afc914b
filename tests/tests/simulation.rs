//! The simulation itself: that it always runs the same way, and that what watches over it would notice.

use countersign_tests::simulation::{Fault, Options, run};
use std::collections::BTreeSet;

/// In so many seeds what is broken on purpose has to come out; mostly it does in a handful.
const SEEDS: u64 = 12000;

#[test]
fn a_seed_is_always_the_same_run() {
    let traced = Options { trace: true, ..Options::default() };
    for seed in 0..20 {
        let (one, other) = (run(seed, traced), run(seed, traced));
        assert_eq!(one.lines, other.lines, "seed {seed}");
        assert_eq!((one.hash, one.events), (other.hash, other.events), "seed {seed}");
        assert_eq!(run(seed, Options::default()).hash, one.hash, "reading along changes nothing");
    }
    assert_ne!(run(0, traced).hash, run(1, traced).hash);
}

#[test]
fn no_promise_is_broken_where_nothing_is_broken_on_purpose() {
    for seed in 0..100 {
        assert_eq!(run(seed, Options::default()).violation, None, "seed {seed}");
    }
}

/// Fails unless a run with the fault breaks the promise of that name.
fn assert_found(fault: Fault, promise: &str) {
    let options = Options { fault: Some(fault), ..Options::default() };
    let mut found = BTreeSet::new();
    for broken in (0..SEEDS).filter_map(|seed| run(seed, options).violation) {
        if broken.name == promise {
            return;
        }
        found.insert(broken.name);
    }
    panic!("{fault:?} came out as {found:?} only");
}

#[test]
fn a_disk_that_lies_is_found_out() {
    assert_found(Fault::DiskForgetsRequests, "an accepted request is not on disk");
    assert_found(Fault::DiskForgetsEnds, "a signature was accepted that nobody has");
    assert_found(Fault::DiskForgetsEnds, "a durable request never ended");
    assert_found(Fault::DiskForgetsKeys, "an idempotency key made a second request");
    assert_found(Fault::DiskForgetsKeys, "an idempotency key was taken for two bodies");
    assert_found(Fault::DiskKeepsReplaced, "a request took a place that was not free");
    assert_found(Fault::DiskConcealsEnds, "a signature was accepted that was not used");
    assert_found(Fault::DiskSpoilsSignatures, "a signature was told that does not verify");
}

#[test]
fn a_server_that_waits_for_ever_is_found_out() {
    assert_found(Fault::ClockStands, "a waiter was not answered in time");
    assert_found(Fault::ClockStands, "requests are pending at the end");
}

#[test]
fn a_disk_that_goes_by_another_clock_is_found_out() {
    assert_found(Fault::DiskKeepsDeadlines, "a request had less time than it was given");
}

#[test]
fn a_wallet_that_forgets_is_found_out() {
    assert_found(Fault::WalletForgets, "a request was shown anew twice");
    assert_found(Fault::WalletForgets, "a request was shown again after its decision");
}

#[test]
fn a_wallet_that_knows_no_sleep_is_found_out() {
    assert_found(Fault::WalletKnowsNoSleep, "a request was signed after its time");
}

#[test]
fn a_network_that_lies_is_found_out() {
    assert_found(Fault::NetworkLiesAboutAnswers, "a signature was accepted that was not used");
    assert_found(Fault::NetworkTearsBatches, "a part of a batch was shown alone");
    assert_found(Fault::NetworkDropsStatuses, "a prompt outlived its request");
    assert_found(Fault::NetworkInventsRequests, "a request was shown that nobody asked for");
}

#[test]
fn a_database_that_takes_any_end_is_found_out() {
    assert_found(Fault::DatabaseTakesAnyEnd, "an end has changed");
}

#[test]
fn a_node_that_tells_its_own_end_is_found_out() {
    assert_found(Fault::NodeAsksNobody, "a signature was accepted that nobody has");
    assert_found(Fault::NodeAsksNobody, "a wallet was told another end");
    assert_found(Fault::NodeAsksNobody, "a durable request did not end in time");
}

#[test]
fn packets_that_come_twice_under_other_numbers_are_found_out() {
    assert_found(Fault::HubRenumbersPackets, "something is left of requests that are over");
}

#[test]
fn a_server_that_overlooks_what_is_blocked_is_found() {
    assert_found(Fault::BlocksAreKeptQuiet, "a blocked key is held");
}

//! How long it waits before it connects again, and when it does not.

use super::*;

/// The wait after each of a row of failures, with the jitter at its longest.
fn waits(bench: &mut Bench, failures: usize) -> Vec<u64> {
    let wait = |_| {
        bench.close(1006);
        bench.wait_until_due().0
    };
    (0..failures).map(wait).collect()
}

#[test]
fn waits_longer_after_each_failure() {
    let mut bench = Bench::welcomed();
    assert_eq!(waits(&mut bench, 7), [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
}

#[test]
fn starts_over_only_after_a_connection_that_has_lasted() {
    let mut bench = Bench::welcomed();
    waits(&mut bench, 2);
    bench.welcome();
    bench.wait(Millis(STABLE_AFTER.0 - 1));
    assert_eq!(waits(&mut bench, 1), [4_000]);
    bench.welcome();
    bench.wait(STABLE_AFTER);
    assert_eq!(waits(&mut bench, 1), [1_000]);
}

#[test]
fn a_goodbye_says_how_long_to_wait_within_reason() {
    for (asked, waited) in [(5_000, 6_000), (u64::MAX, LONGEST_GOODBYE.0 + 1_000)] {
        let mut bench = Bench::welcomed();
        bench.receive(goodbye(GoodbyeReason::Shutdown, asked));
        bench.close(1012);
        assert_eq!(bench.wait_until_due(), Millis(waited));
        assert_eq!(bench.transmits(), [dial()]);
    }
}

#[test]
fn a_superseded_wallet_stays_away() {
    let mut bench = Bench::welcomed();
    bench.receive(goodbye(GoodbyeReason::Superseded, 0));
    bench.close(1000);
    assert_eq!(bench.last_state(), State::Closed(Some(Error::Superseded)));
    assert_eq!(bench.wallet.poll_timeout(), None);
}

#[test]
fn reconnects_or_not_by_code_and_by_what_was_said_before() {
    use ErrorCode::*;
    let cases = [
        (1000, None, true),
        (1001, None, true),
        (1006, None, true),
        (1011, None, true),
        (1012, None, true),
        (1008, None, false),
        (1003, None, false),
        (1009, None, false),
        (1008, Some(ProofInvalid), false),
        (1006, Some(ProofInvalid), false),
        (1008, Some(ProofRequired), false),
        (1008, Some(KeyRefused), false),
        (1008, Some(TooManyErrors), false),
        (1008, Some(Unrecognised), false),
        (1006, Some(Malformed), true),
        (1008, Some(RateLimited), true),
        (1008, Some(TooManyConnections), true),
        (1008, Some(IntroductionTimeout), true),
    ];
    for (code, told, again) in cases {
        let mut bench = Bench::welcomed();
        if let Some(told) = told {
            bench.receive(error(told));
            assert_eq!(bench.errors(), [told.as_str()]);
        }
        bench.close(code);
        let reconnects = matches!(bench.last_state(), State::Reconnecting { .. });
        assert_eq!(reconnects, again, "{code} after {told:?}");
        assert_eq!(bench.wallet.poll_timeout().is_some(), again);
    }
}

#[test]
fn what_an_old_socket_still_says_is_ignored() {
    let mut bench = Bench::welcomed();
    bench.close(1006);
    bench.clear();
    bench.receive(ask(1));
    bench.close(1008);
    bench.wallet.handle_opened();
    assert_eq!((bench.events(), bench.transmits()), (vec![], vec![]));
}

#[test]
fn closing_while_it_waits_ends_the_waiting() {
    let mut bench = Bench::welcomed();
    bench.close(1006);
    bench.wallet.close();
    assert_eq!(bench.last_state(), State::Closed(None));
    assert_eq!(bench.wallet.poll_timeout(), None);
    bench.wallet.close();
    assert_eq!((bench.events(), bench.transmits()), (vec![], vec![]));
}

#[test]
fn what_is_shown_is_asked_after_on_return() {
    let mut bench = Bench::welcomed();
    for n in 1..=3 {
        bench.receive(ask(n));
    }
    bench.wallet.displayed(id(1)).unwrap();
    bench.approve(id(3));
    bench.close(1006);
    bench.wait_until_due();
    bench.clear();
    bench.welcome();
    let sent = bench.sent();
    let [ClientFrame::Introduction(_), ref answer, ref rest @ ..] = sent[..] else { panic!("{sent:?}") };
    assert_eq!(answer, &bench.response(id(3), &message()));
    assert_eq!(rest, [displayed(1), received(2)]);
    for (n, cause) in [(1, CancelCause::Cancelled), (2, CancelCause::AnsweredElsewhere)] {
        bench.receive(cancel(n, cause));
    }
    assert_eq!(bench.ends(), [(id(1), End::Cancelled), (id(2), End::AnsweredElsewhere)]);
    assert_eq!(bench.wallet.approve(bench.now, id(1), ApprovedBy::Human), Err(Error::NotOpen));
}

#[test]
fn an_owner_in_a_hurry_shortens_the_wait_but_for_a_second_and_what_the_server_asks() {
    let mut bench = Bench::welcomed();
    for _ in 0..6 {
        bench.close(1006);
        bench.wait_until_due();
    }
    bench.close(1006);
    bench.clear();
    bench.wait(Millis(999));
    hurry(&mut bench);
    assert_eq!(dials(&bench), 0, "not within a second");
    bench.wait(Millis(1));
    assert_eq!(dials(&bench), 1, "and then without being asked again");
    bench.close(1006);
    bench.clear();
    bench.wait(Millis(5_000));
    assert_eq!(dials(&bench), 0);
    hurry(&mut bench);
    hurry(&mut bench);
    assert_eq!(dials(&bench), 1);
}

fn hurry(bench: &mut Bench) {
    bench.wallet.connect(bench.now);
    bench.collect();
}

fn dials(bench: &Bench) -> usize {
    bench.transmits.iter().filter(|transmit| **transmit == dial()).count()
}

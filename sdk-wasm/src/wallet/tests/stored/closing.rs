//! A wallet that is closed and connects again.

use super::*;

#[test]
fn a_closed_wallet_that_connects_again_goes_on_where_it_was() {
    let mut bench = Bench::keeping();
    bench.receive(ask(1));
    bench.receive(ask(2));
    bench.approve(id(2));
    bench.store();
    bench.clear();
    bench.wallet.close();
    let expected = [(id(1), End::Failed(Error::Closed)), (id(2), End::Failed(Error::Unconfirmed))];
    assert_eq!((bench.ends(), bench.wallet.poll_timeout()), (expected.into(), None));
    bench.closed(Closed::AsAsked);
    bench.restore(bench.kept.values().cloned().collect());
    bench.wallet.connect(bench.now);
    bench.welcome();
    assert!(bench.sent().contains(&bench.response(id(2), &message())));
    bench.clear();
    bench.receive(ack(2, AckOutcome::Accepted));
    assert_eq!(bench.events(), [], "its owner knows an end of it already");
    bench.receive(again(1));
    assert_eq!(bench.events(), [resumed(1)]);
}

#[test]
fn a_decision_taken_elsewhere_meanwhile_holds() {
    let mut here = Bench::keeping();
    here.receive(ask(1));
    here.store();
    here.wallet.close();
    let mut elsewhere = here.reloaded();
    elsewhere.receive(again(1));
    elsewhere.approve(id(1));
    elsewhere.store();
    elsewhere.receive(ack(1, AckOutcome::Accepted));
    elsewhere.store();
    here.closed(Closed::AsAsked);
    here.restore(elsewhere.kept.values().cloned().collect());
    here.connect();
    here.receive(again(1));
    assert_eq!((here.sent(), here.prompts()), (vec![here.response(id(1), &message())], 0));
}

#[test]
fn an_older_record_undoes_no_decision() {
    let mut bench = Bench::keeping();
    bench.receive(ask(1));
    bench.store();
    let older: Vec<_> = bench.kept.values().cloned().collect();
    bench.reject(id(1));
    bench.store();
    bench.receive(ack(1, AckOutcome::Accepted));
    bench.restore(older.clone());
    bench.wallet.close();
    bench.closed(Closed::AsAsked);
    bench.restore(older);
    bench.connect();
    bench.receive(again(1));
    assert_eq!((bench.sent(), bench.prompts()), (vec![user_rejects(1)], 0));
}

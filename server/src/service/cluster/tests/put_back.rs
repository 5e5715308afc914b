//! The database is put back to an earlier time while servers run on, each of which notices on its two connections, whenever that is.

use super::{Wallet, World, accept_record, connect, record};
use crate::record::Record;
use countersign_protocol::{AckOutcome, CancelCause, RequestId, ServerFrame, SignRequest};
use std::{collections::BTreeMap, time::Duration};

/// What a server's connections come to the other database with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Noticed {
    ByHub(usize),
    ByStore(usize),
}

const ALL: [Noticed; 4] = [Noticed::ByHub(0), Noticed::ByStore(0), Noticed::ByHub(1), Noticed::ByStore(1)];

/// All orders of them.
fn orders(of: &[Noticed]) -> Vec<Vec<Noticed>> {
    if of.is_empty() {
        return vec![Vec::new()];
    }
    let begun_with = |first: &Noticed| {
        let rest: Vec<_> = of.iter().copied().filter(|other| other != first).collect();
        orders(&rest).into_iter().map(|rest| [vec![*first], rest].concat()).collect::<Vec<_>>()
    };
    of.iter().flat_map(begun_with).collect()
}

/// A wallet that signs whatever it is asked, and what it has been told.
struct Signer<'a> {
    wallet: Wallet<'a>,
    shown: BTreeMap<RequestId, SignRequest>,
    acknowledged: BTreeMap<RequestId, Vec<AckOutcome>>,
    closed: BTreeMap<RequestId, CancelCause>,
}

impl Signer<'_> {
    fn sign(&mut self, id: RequestId) {
        let outcome = self.wallet.sign(&self.shown[&id]);
        self.acknowledged.entry(id).or_default().extend(outcome);
    }

    /// Hears what there is, and signs what it is asked if it `signs`; whether there was anything.
    fn hear(&mut self, signs: bool) -> bool {
        let frames = self.wallet.frames();
        for frame in &frames {
            match frame {
                ServerFrame::SignRequest(request) => {
                    self.shown.insert(request.request_id, request.clone());
                    if signs {
                        self.sign(request.request_id);
                    }
                }
                ServerFrame::ResponseAck(ack) => self.acknowledged.entry(ack.request_id).or_default().push(ack.outcome),
                ServerFrame::RequestCancel(cancel) => {
                    self.closed.insert(cancel.request_id, cancel.cause);
                }
                other => panic!("{other:?}"),
            }
        }
        !frames.is_empty()
    }
}

fn signer(world: &World, place: usize) -> Signer<'_> {
    let wallet = connect(&world.services[place], u8::try_from(place).unwrap());
    world.go_on();
    Signer { wallet, shown: BTreeMap::new(), acknowledged: BTreeMap::new(), closed: BTreeMap::new() }
}

/// Has a request taken that has an hour.
fn accept(world: &World, place: usize, n: u8) -> RequestId {
    let service = &world.services[place];
    let expires_at = service.now().after(Duration::from_hours(1));
    accept_record(world, place, Record { deliver_by: expires_at, expires_at, ..record(service, n) })
}

/// Lets time pass until nobody has anything left to say.
async fn settle(world: &World, signers: &mut [Signer<'_>], signs: bool) {
    for _ in 0..120 {
        tokio::time::advance(Duration::from_millis(100)).await;
        world.services.iter().for_each(|service| service.handle_timeout());
        world.go_on();
        let mut times = 0;
        while signers.iter_mut().map(|signer| signer.hear(signs)).fold(false, |some, one| some | one) {
            world.go_on();
            times += 1;
            assert!(times < 100, "they never have done");
        }
    }
}

/// Whatever the order: what the other database has is signed, also what had been signed before, and what it does not know is over.
#[tokio::test(start_paused = true)]
async fn servers_that_run_on_agree_with_a_database_that_was_put_back() {
    for order in orders(&ALL) {
        for owner in [0, 1] {
            run_on(&order, owner).await;
        }
    }
}

async fn run_on(order: &[Noticed], owner: usize) {
    let world = World::new(2);
    let mut signers = [signer(&world, 0), signer(&world, 1)];
    let [open, signed_later] = [1, 2].map(|n| accept(&world, owner, n));
    settle(&world, &mut signers, false).await;
    let backup = world.database.lock().unwrap().records.clone();
    signers[0].sign(signed_later);
    let accepted_later = accept(&world, owner, 3);
    settle(&world, &mut signers, false).await;
    assert!(signers.iter().all(|signer| signer.shown.contains_key(&accepted_later)));
    assert_eq!(signers[1].closed.remove(&signed_later), Some(CancelCause::AnsweredElsewhere));

    world.put_back(backup);
    for noticed in order {
        match noticed {
            Noticed::ByHub(place) => world.hub_comes_back(*place),
            Noticed::ByStore(place) => world.store_comes_back(*place),
        }
        settle(&world, &mut signers, false).await;
    }
    for (place, signer) in signers.iter().enumerate() {
        let closed: Vec<_> = signer.closed.iter().map(|(id, cause)| (*id, *cause)).collect();
        assert_eq!(closed, [(accepted_later, CancelCause::Expired)], "{order:?}, owned by {owner}: wallet {place}");
    }
    signers[1].sign(open);
    settle(&world, &mut signers, true).await;
    for id in [open, signed_later] {
        if world.database.lock().unwrap().records[&id].end.is_none() {
            signers[0].sign(id);
            settle(&world, &mut signers, true).await;
        }
        let end = world.database.lock().unwrap().records[&id].end.clone();
        assert!(super::is_signed(end.as_ref()), "{order:?}, owned by {owner}: {end:?}");
    }
    signers[0].sign(accepted_later);
    settle(&world, &mut signers, false).await;
    assert_eq!(signers[0].acknowledged[&accepted_later].last(), Some(&AckOutcome::Unknown), "{order:?}");
}

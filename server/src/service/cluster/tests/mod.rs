mod newcomer;
mod put_back;
mod renamed;
mod replacing;
mod world;

use crate::{
    SigningError, SigningService,
    record::{End, Record},
    service::{Answered, ConnectionGuard, Inbox, Mail, Waiting},
    session::Introduced,
    steps::EndedBy,
};
use countersign_protocol::{
    AckOutcome, CancelCause, ConnectionId, Device, PublicKey, RequestCancel, RequestId, RequestStatus, ResponseAck,
    ServerFrame, SignRequest, SignResponse, Signable, Signature, WalletState,
};
use ed25519_dalek::{Signer as _, SigningKey};
use smallvec::smallvec;
use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};
use world::World;

/// A wallet's connection.
struct Wallet<'a> {
    service: &'a SigningService,
    guard: ConnectionGuard,
    inbox: Inbox,
    key: PublicKey,
}

fn signing_key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn connect(service: &SigningService, n: u8) -> Wallet<'_> {
    let key = PublicKey::admit(signing_key().verifying_key().to_bytes().into()).unwrap();
    let (guard, inbox) = service.connect(ConnectionId::from_random_bytes([n; 16]), None).unwrap();
    let id = format!("device-{n}").parse().unwrap();
    let device = Some(Arc::new(Device { id, label: "A device".parse().unwrap() }));
    let introduced = Introduced { key: Arc::new(key.clone()), device, proven: true };
    service.introduce(guard.id, &introduced, std::time::Duration::from_secs(20)).unwrap();
    Wallet { service, guard, inbox, key }
}

impl Wallet<'_> {
    fn frames(&mut self) -> Vec<ServerFrame> {
        let mut context = Context::from_waker(Waker::noop());
        let mut frames = Vec::new();
        while let Poll::Ready(Some(mail)) = self.inbox.poll_recv(&mut context) {
            let text = match mail {
                Mail::Request(frame) => frame.to_json(self.service.now()),
                Mail::Text(text) => Some(text),
                Mail::Close(close) => Some(close.frame.to_json()),
            };
            frames.extend(text.map(|text| ServerFrame::parse(&text).unwrap()));
        }
        frames
    }

    fn request(&mut self) -> SignRequest {
        match <[ServerFrame; 1]>::try_from(self.frames()) {
            Ok([ServerFrame::SignRequest(request)]) => request,
            other => panic!("{other:?}"),
        }
    }

    fn begin_to_sign(&self, request: &SignRequest) -> Answered {
        let message = request.message.clone();
        let signature: Signature = signing_key().sign(&Signable::Message(&message).to_bytes()).to_bytes().into();
        let answer = SignResponse { request_id: request.request_id, message, signature, approved_by: None };
        self.service.handle_answer(self.guard.id, &self.key, answer)
    }

    /// Answers, and gives what that is acknowledged with at once.
    fn sign(&self, request: &SignRequest) -> Option<AckOutcome> {
        match self.begin_to_sign(request) {
            Answered::With(outcome) => outcome,
            Answered::Judging(judgement) => self.service.conclude(self.guard.id, &self.key, *judgement),
        }
    }

    fn still_shows(&self, request_id: RequestId) -> Option<ServerFrame> {
        self.service.handle_status(self.guard.id, RequestStatus { request_id, state: WalletState::Displayed })
    }
}

fn record(service: &SigningService, n: u8) -> Record {
    let now = service.now();
    let record = crate::dispatch::testing::record(n.into());
    let (deliver_by, expires_at) =
        (now.after(std::time::Duration::from_secs(10)), now.after(std::time::Duration::from_secs(60)));
    Record { public_key: signing_key().verifying_key().to_bytes().into(), deliver_by, expires_at, ..record }
}

/// Asks as a backend that waits.
fn ask<'a>(world: &'a World, node: usize, n: u8) -> Result<Waiting<'a>, SigningError> {
    let service = &world.services[node];
    let record = record(service, n);
    let found = service.seek(&record.public_key);
    world.go_on();
    drop(found);
    let waiting = service.ask(smallvec![Box::new(record)], None)?.into_iter().next().unwrap();
    world.go_on();
    Ok(waiting)
}

/// Has a durable request taken.
fn accept(world: &World, node: usize, n: u8) -> RequestId {
    accept_record(world, node, record(&world.services[node], n))
}

fn accept_record(world: &World, node: usize, record: Record) -> RequestId {
    let service = &world.services[node];
    let id = record.id;
    drop(service.seek(&record.public_key));
    world.go_on();
    let mut accepted = service.begin_durably(vec![record], None, true, None, None).unwrap();
    world.go_on();
    assert!(accepted.try_recv().unwrap().is_ok());
    id
}

fn is_signed(end: Option<&End>) -> bool {
    matches!(end, Some(End::Signed { .. }))
}

fn acknowledged(frames: &[ServerFrame], outcome: AckOutcome) -> bool {
    matches!(frames, [ServerFrame::ResponseAck(ResponseAck { outcome: found, .. })] if *found == outcome)
}

fn cancelled(frames: &[ServerFrame], cause: CancelCause) -> bool {
    matches!(frames, [ServerFrame::RequestCancel(RequestCancel { cause: found, .. })] if *found == cause)
}

#[test]
fn a_wallet_of_another_node_signs() {
    let world = World::new(2);
    let mut wallet = connect(&world.services[1], 1);
    world.go_on();
    let mut waiting = ask(&world, 0, 1).unwrap();
    let request = wallet.request();
    assert_eq!(wallet.sign(&request), None, "acknowledged by the owner");
    world.go_on();
    assert!(is_signed(waiting.poll().unwrap().end.as_ref()));
    assert!(acknowledged(&wallet.frames(), AckOutcome::Accepted));
}

#[test]
fn devices_on_all_nodes_are_asked_and_the_first_answer_wins() {
    let world = World::new(3);
    let mut wallets: Vec<_> = (0..3).map(|n| connect(&world.services[n], n as u8)).collect();
    world.go_on();
    let mut waiting = ask(&world, 0, 1).unwrap();
    let requests: Vec<_> = wallets.iter_mut().map(Wallet::request).collect();
    wallets[1].sign(&requests[1]);
    world.go_on();
    assert!(is_signed(waiting.poll().unwrap().end.as_ref()));
    assert!(acknowledged(&wallets[1].frames(), AckOutcome::Accepted));
    for n in [0, 2] {
        assert!(cancelled(&wallets[n].frames(), CancelCause::AnsweredElsewhere), "{n}");
    }
}

#[test]
fn who_comes_after_the_call_is_asked_too() {
    let world = World::new(2);
    let _here = connect(&world.services[0], 1);
    world.go_on();
    let mut waiting = ask(&world, 0, 1).unwrap();
    let mut wallet = connect(&world.services[1], 2);
    world.go_on();
    let request = wallet.request();
    wallet.sign(&request);
    world.go_on();
    assert!(is_signed(waiting.poll().unwrap().end.as_ref()));
}

#[test]
fn a_wallet_that_moves_goes_on_with_what_it_shows() {
    let world = World::new(3);
    let mut before = connect(&world.services[1], 1);
    world.go_on();
    let mut waiting = ask(&world, 0, 1).unwrap();
    let request = before.request();
    drop(before);
    world.go_on();
    let mut after = connect(&world.services[2], 1);
    // Before the owner has heard of it.
    assert_eq!(after.still_shows(request.request_id), None);
    assert_eq!(after.sign(&request), None);
    world.go_on();
    assert!(is_signed(waiting.poll().unwrap().end.as_ref()));
    let frames = after.frames();
    assert!(acknowledged(&frames[frames.len() - 1..], AckOutcome::Accepted), "{frames:?}");
}

#[test]
fn what_ended_while_a_wallet_was_away_is_taken_back_on_another_node() {
    let world = World::new(3);
    let mut before = connect(&world.services[1], 1);
    world.go_on();
    let waiting = ask(&world, 0, 1).unwrap();
    let request = before.request();
    drop(before);
    drop(waiting);
    world.go_on();
    let mut after = connect(&world.services[2], 1);
    assert_eq!(after.still_shows(request.request_id), None);
    world.go_on();
    assert!(cancelled(&after.frames(), CancelCause::Cancelled));
    let nobodys = RequestId::from_random_bytes([9; 16]);
    assert_eq!(after.still_shows(nobodys), None);
    world.go_on();
    assert!(cancelled(&after.frames(), CancelCause::Expired));
}

#[test]
fn a_durable_request_outlives_its_node() {
    let world = World::new(2);
    let mut wallet = connect(&world.services[1], 1);
    world.go_on();
    let id = accept(&world, 0, 1);
    let request = wallet.request();
    world.give_up(1);
    wallet.sign(&request);
    world.go_on();
    let frames = wallet.frames();
    let (last, others) = frames.split_last().unwrap();
    assert!(acknowledged(std::slice::from_ref(last), AckOutcome::Accepted), "{frames:?}");
    assert!(others.iter().all(|frame| matches!(frame, ServerFrame::SignRequest(again) if again.request_id == id)));
    assert!(is_signed(world.database.lock().unwrap().records[&id].end.as_ref()));
}

#[test]
fn a_waiting_call_ends_with_its_node() {
    let world = World::new(2);
    let mut wallet = connect(&world.services[1], 1);
    world.go_on();
    let _waiting = ask(&world, 0, 1).unwrap();
    wallet.request();
    world.give_up(1);
    world.go_on();
    assert!(cancelled(&wallet.frames(), CancelCause::Expired));
}

#[test]
fn lost_packets_are_made_good() {
    let world = World::new(2);
    let mut wallet = connect(&world.services[1], 1);
    world.go_on();
    world.database.lock().unwrap().loses = 1;
    let mut waiting = ask(&world, 0, 1).unwrap();
    assert!(wallet.frames().is_empty(), "lost");
    world.tell_nodes(true);
    world.go_on();
    let request = wallet.request();
    world.database.lock().unwrap().loses = 1;
    wallet.sign(&request);
    world.go_on();
    assert!(waiting.poll().is_none(), "lost");
    world.tell_nodes(true);
    world.go_on();
    assert!(is_signed(waiting.poll().unwrap().end.as_ref()));
    let frames = wallet.frames();
    assert!(acknowledged(&frames[frames.len() - 1..], AckOutcome::Accepted), "{frames:?}");
}

#[test]
fn a_wallet_is_told_of_an_end_although_what_it_said_of_the_request_was_lost() {
    let world = World::new(3);
    let mut before = connect(&world.services[1], 1);
    world.go_on();
    let waiting = ask(&world, 0, 1).unwrap();
    let request = before.request();
    drop((before, waiting));
    world.go_on();
    let mut after = connect(&world.services[2], 1);
    assert_eq!(after.still_shows(request.request_id), None);
    world.database.lock().unwrap().loses_mail = Some(|mail| matches!(mail, crate::cluster::Mail::FromWallet { .. }));
    world.go_on();
    assert!(after.frames().is_empty(), "lost");
    // With the next packet it is found missing, and neither has come.
    assert_eq!(after.still_shows(request.request_id), None);
    world.go_on();
    assert!(cancelled(&after.frames(), CancelCause::Cancelled));
}

#[test]
fn a_node_that_was_given_up_tells_no_end_of_its_own() {
    let world = World::new(2);
    let id = accept(&world, 0, 1);
    // It goes on and knows nothing of it.
    world.give_up(1);
    world.go_on();
    let mut wallet = connect(&world.services[1], 1);
    world.go_on();
    let request = wallet.request();
    world.services[0].withdraw(id, EndedBy::Requester);
    world.go_on();
    assert!(world.services[0].open_record(id).is_none(), "let go of");
    assert!(world.database.lock().unwrap().records[&id].end.is_none());
    wallet.sign(&request);
    world.go_on();
    assert!(is_signed(world.database.lock().unwrap().records[&id].end.as_ref()));
}

#[test]
fn a_node_that_stops_hands_over() {
    let world = World::new(2);
    let mut wallet = connect(&world.services[1], 1);
    world.go_on();
    let id = accept(&world, 0, 1);
    let request = wallet.request();
    world.services[0].begin_drain();
    world.go_on();
    assert_eq!(world.database.lock().unwrap().records[&id].node, Some(crate::cluster::NodeId::from_bits(2)));
    wallet.sign(&request);
    world.go_on();
    assert!(is_signed(world.database.lock().unwrap().records[&id].end.as_ref()));
}

#[test]
fn a_call_goes_on_with_the_wallets_that_are_here_while_the_database_is_away() {
    let world = World::new(2);
    let mut wallet = connect(&world.services[0], 1);
    world.go_on();
    world.database.lock().unwrap().is_away = true;
    let mut waiting = ask(&world, 0, 1).unwrap();
    let request = wallet.request();
    assert_eq!(wallet.sign(&request), Some(AckOutcome::Accepted));
    assert!(is_signed(waiting.poll().unwrap().end.as_ref()));
}

#[tokio::test]
async fn whoever_asks_for_a_wallet_that_moves_is_answered_when_it_has_come() {
    let world = World::new(2);
    let wallet = connect(&world.services[1], 1);
    world.go_on();
    world.services[1].begin_drain();
    drop(wallet);
    world.go_on();
    let service = &world.services[0];
    let key = signing_key().verifying_key().to_bytes().into();
    assert_eq!(service.connections_of(&key), 0);
    let mut asking = pin!(service.ask_everywhere(smallvec![Box::new(record(service, 1))], None));
    let mut context = Context::from_waker(Waker::noop());
    assert!(asking.as_mut().poll(&mut context).is_pending(), "it looks for the wallet");
    world.go_on();
    assert!(asking.as_mut().poll(&mut context).is_pending(), "there is none yet");
    let mut wallet = connect(service, 2);
    let Poll::Ready(Ok(_waiting)) = asking.poll(&mut context) else { panic!("the wallet has come") };
    wallet.request();
}

#[tokio::test(start_paused = true)]
async fn a_wallet_that_does_not_come_is_not_connected() {
    let world = World::new(2);
    world.services[1].begin_drain();
    world.go_on();
    let service = &world.services[0];
    let asking = service.ask_everywhere(smallvec![Box::new(record(service, 1))], None);
    let (asked, ()) = tokio::join!(biased; asking, async { world.go_on() });
    assert_eq!(asked.map(drop).unwrap_err(), SigningError::SignerNotConnected);
}

#[cfg(feature = "http")]
#[tokio::test]
async fn every_node_tells_which_ones_have_a_wallet() {
    let world = World::new(3);
    let holders = async |asked: usize| {
        let service: &SigningService = &world.services[asked];
        let key = signing_key().verifying_key().to_bytes().into();
        let (holders, ()) = tokio::join!(service.holders(&key), async { world.go_on() });
        holders.unwrap().into_iter().collect::<Vec<_>>()
    };
    assert_eq!(holders(0).await, []);
    let here = connect(&world.services[0], 1);
    let there = connect(&world.services[2], 2);
    world.go_on();
    let node = |n: usize| world.services[n].node().unwrap();
    assert_ne!(node(0), node(2));
    for asked in 0..3 {
        assert_eq!(holders(asked).await, [node(0), node(2)], "{asked}");
    }
    drop((here, there));
}

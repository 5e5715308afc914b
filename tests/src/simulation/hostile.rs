//! Wallets that mean harm: they hold a key, and say with it whatever might confuse a server.

use super::{
    coverage::Seen,
    environment::Environment,
    events::{LinkId, Side},
    network::{Network, Wire},
    plan::{AUDIENCE, KEYS, Kind},
    wallets::Device,
};
use countersign_protocol::{
    AckOutcome, Challenge, ClientFrame, Introduction, Message, Origin, RejectCode, RejectScope, RequestId,
    RequestStatus, ServerFrame, SignReject, SignRequest, SignResponse, Signable, Signature, WalletState,
};
use std::{collections::BTreeSet, rc::Rc};

const GARBAGE: [&str; 6] =
    ["", "{}", "null", r#"{"type":"welcome"}"#, r#"{"type":"sign_response","request_id":"x"}"#, "\u{202E}\u{FFFD}"];

/// What a hostile wallet remembers.
#[derive(Debug, Default)]
pub(super) struct Hostile {
    /// What it overheard, to be said again.
    pub(super) stolen: Vec<Rc<str>>,
    /// Answered requests that were not put to its key.
    foreign: BTreeSet<RequestId>,
}

impl Device {
    pub(super) fn hostile_incoming(
        &mut self,
        environment: &mut Environment,
        network: &mut Network,
        link: LinkId,
        wire: Wire,
    ) {
        match wire {
            Wire::Text(text) => match ServerFrame::parse(&text) {
                Ok(frame) => self.misbehave(environment, network, frame),
                Err(error) => environment.checker.report("the server said what nobody can read", || error.to_string()),
            },
            Wire::Close(..) => {
                self.link = None;
                self.dial += 1;
                network.leave(environment, link, Side::Wallet);
                self.redial(environment);
            }
            Wire::Open | Wire::Binary | Wire::Ping | Wire::Pong => {}
        }
    }

    fn misbehave(&mut self, environment: &mut Environment, network: &mut Network, frame: ServerFrame) {
        match frame {
            ServerFrame::Challenge(_) if self.kind == Kind::Replayer => {
                environment.see(Seen::ProofReplayed);
                for text in std::mem::take(&mut self.hostile.stolen) {
                    self.say(environment, network, text);
                }
            }
            ServerFrame::Challenge(frame) => {
                let introduction = self.introduction(&frame.challenge);
                self.send(environment, network, ClientFrame::Introduction(introduction));
            }
            ServerFrame::Welcome(_) if self.kind == Kind::Replayer => {
                environment.checker.report("a proof served twice", || format!("{self:?}"));
            }
            ServerFrame::Welcome(_) => self.annoy(environment, network),
            ServerFrame::SignRequest(request) => self.answer(environment, network, &request),
            ServerFrame::ResponseAck(ack) => {
                if ack.outcome == AckOutcome::Duplicate {
                    environment.see(Seen::Duplicate);
                }
                if self.hostile.foreign.contains(&ack.request_id) && ack.outcome != AckOutcome::Unknown {
                    let id = ack.request_id;
                    environment
                        .checker
                        .report("a foreign request was not unknown", || format!("{id}: {:?}", ack.outcome));
                }
            }
            ServerFrame::RequestCancel(_)
            | ServerFrame::Error(_)
            | ServerFrame::Goodbye(_)
            | ServerFrame::Ping(_)
            | ServerFrame::Pong(_) => {}
        }
    }

    fn introduction(&self, challenge: &Challenge) -> Introduction {
        let (key, public) = &KEYS[self.key];
        let public_key = public.to_bytes();
        let (audience, origin) = (AUDIENCE.parse().unwrap(), Origin::default());
        let signable =
            Signable::Introduction { challenge, public_key: &public_key, audience: &audience, origin: &origin };
        Introduction { public_key, proof: Some(signable.sign(key)), device: self.name() }
    }

    /// Says what no wallet should.
    fn annoy(&mut self, environment: &mut Environment, network: &mut Network) {
        for _ in 0..environment.pick(&[0, 1, 3, 20]) {
            environment.see(Seen::HostileFrame);
            if environment.chance(5)
                && let Some(link) = self.link
            {
                network.send(environment, link, Side::Server, Wire::Binary);
            }
            let text = environment.pick(&GARBAGE);
            self.say(environment, network, text.into());
        }
        let mine = KEYS[self.key].1.to_bytes();
        let ids = environment.checker.requests.iter().filter(|(_, request)| request.public_key != mine);
        let foreign: Vec<RequestId> = ids.map(|(id, _)| *id).collect();
        if !foreign.is_empty() {
            let id = environment.pick(&foreign);
            self.hostile.foreign.insert(id);
            self.respond(environment, network, id, &b"foreign"[..]);
        }
        let unheard_of = RequestId::from_random_bytes(environment.bytes());
        self.hostile.foreign.insert(unheard_of);
        self.respond(environment, network, unheard_of, &b"unheard of"[..]);
    }

    fn answer(&mut self, environment: &mut Environment, network: &mut Network, request: &SignRequest) {
        let id = request.request_id;
        environment.see(Seen::HostileFrame);
        if environment.chance(30) {
            let state = environment.pick(&[WalletState::Received, WalletState::Displayed]);
            self.send(environment, network, ClientFrame::RequestStatus(RequestStatus { request_id: id, state }));
        }
        let message = request.message.as_bytes();
        match environment.rng.u32(0..8) {
            0 | 1 => {}
            2 => self.forge(environment, network, request),
            3 => self.respond(environment, network, id, &b"something else"[..]),
            4 => self.respond(environment, network, id, message),
            5 => {
                for _ in 0..3 {
                    self.respond(environment, network, id, message);
                }
            }
            6 => {
                for scope in [RejectScope::Device, RejectScope::Key] {
                    let reject = SignReject { request_id: id, code: RejectCode::Locked, reason: None, scope };
                    self.send(environment, network, ClientFrame::SignReject(reject));
                }
            }
            7.. => {
                self.forge(environment, network, request);
                self.respond(environment, network, id, message);
            }
        }
    }

    fn forge(&mut self, environment: &mut Environment, network: &mut Network, request: &SignRequest) {
        let SignRequest { request_id, message, .. } = request.clone();
        let signature = Signature::from(environment.bytes::<64>());
        self.send(
            environment,
            network,
            ClientFrame::SignResponse(SignResponse { request_id, message, signature, approved_by: None }),
        );
    }

    fn respond(&mut self, environment: &mut Environment, network: &mut Network, request_id: RequestId, message: &[u8]) {
        environment.checker.signed_on(self.id, request_id);
        let message = Message::try_from(message).unwrap();
        let signature = Signable::Message(&message).sign(&KEYS[self.key].0);
        self.send(
            environment,
            network,
            ClientFrame::SignResponse(SignResponse { request_id, message, signature, approved_by: None }),
        );
    }

    fn send(&mut self, environment: &mut Environment, network: &mut Network, frame: ClientFrame) {
        self.say(environment, network, frame.to_json().into());
    }
}

//! What a wallet has been asked, how far each is, and what its human does next. It outlives every connection.

use super::{Does, Intent, Ledger};
use countersign_protocol::{
    AckOutcome, ApprovedBy, ClientFrame, Message, RejectCode, RejectScope, RequestId, RequestStatus, ServerFrame,
    SignReject, SignRequest, SignResponse, Signable, WalletState, WireName as _,
};
use ed25519_dalek::SigningKey;
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

/// How long a prompt takes to come up. What is taken back before was not shown.
const COMES_UP: Duration = Duration::from_millis(200);

/// How far a request is.
#[derive(Debug)]
pub(super) enum Step {
    /// It is about to be shown.
    ComingUp(Instant),
    /// The human looks at it, and does something then.
    Shown(Option<Instant>),
    /// The human has done it.
    Answered { frame: ClientFrame, is_acknowledged: bool },
    /// It was taken back, or its time is over.
    Over,
}

#[derive(Debug)]
struct Asked {
    intent: Intent,
    message: Message,
    came: Instant,
    expires: Instant,
    step: Step,
}

/// All of it.
#[derive(Debug)]
pub(super) struct Memory {
    device: String,
    number: usize,
    ledger: Arc<Ledger>,
    asked: BTreeMap<RequestId, Asked>,
}

impl Memory {
    pub(super) fn new(device: String, number: usize, ledger: Arc<Ledger>) -> Self {
        Self { device, number, ledger, asked: BTreeMap::new() }
    }

    /// Notes something that concerns all that is not over.
    pub(super) fn note(&self, what: &str) {
        for asked in self.asked.values() {
            if !matches!(asked.step, Step::Over | Step::Answered { is_acknowledged: true, .. }) {
                self.ledger.happens(&asked.intent.name, format!("{} {what}", self.device));
            }
        }
    }

    /// Until when nothing happens by itself.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let due = self.asked.values().filter_map(|asked| match asked.step {
            Step::ComingUp(at) => Some(at.min(asked.expires)),
            Step::Shown(at) => Some(at.map_or(asked.expires, |at| at.min(asked.expires))),
            Step::Answered { .. } | Step::Over => None,
        });
        due.min()
    }

    /// What is sent first on another connection.
    pub(super) fn after_welcome(&self) -> Vec<ClientFrame> {
        let frames = self.asked.iter().filter_map(|(id, asked)| match &asked.step {
            Step::ComingUp(_) => Some(status(*id, WalletState::Received)),
            Step::Shown(_) => Some(status(*id, WalletState::Displayed)),
            Step::Answered { frame, is_acknowledged: false } => Some(frame.clone()),
            Step::Answered { .. } | Step::Over => None,
        });
        frames.collect()
    }

    /// Does what is due.
    pub(super) fn handle_time(&mut self, key: &SigningKey) -> Vec<ClientFrame> {
        let now = Instant::now();
        let mut frames = Vec::new();
        for (id, asked) in &mut self.asked {
            let next = match asked.step {
                Step::ComingUp(_) | Step::Shown(_) if asked.expires <= now => Step::Over,
                Step::ComingUp(at) if at <= now => {
                    self.ledger.shown(&self.device, &asked.intent.name, &id.to_string(), asked.came);
                    frames.push(status(*id, WalletState::Displayed));
                    Step::Shown((asked.intent.does != Does::Nothing).then(|| now + asked.intent.after))
                }
                Step::Shown(Some(at)) if at <= now => {
                    let frame = answer(*id, asked, self.number, key);
                    self.ledger.happens(&asked.intent.name, format!("{} answers", self.device));
                    frames.push(frame.clone());
                    Step::Answered { frame, is_acknowledged: false }
                }
                Step::ComingUp(_) | Step::Shown(_) | Step::Answered { .. } | Step::Over => continue,
            };
            asked.step = next;
        }
        frames
    }

    /// Takes a frame; what there is to say to it.
    pub(super) fn handle(&mut self, frame: &ServerFrame, key: &SigningKey) -> Vec<ClientFrame> {
        match frame {
            ServerFrame::SignRequest(request) => self.ask(request).into_iter().chain(self.handle_time(key)).collect(),
            ServerFrame::RequestCancel(cancel) => {
                let Some(asked) = self.asked.get_mut(&cancel.request_id) else { return Vec::new() };
                if matches!(asked.step, Step::Answered { .. } | Step::Over) {
                    return Vec::new();
                }
                asked.step = Step::Over;
                self.ledger.happens(&asked.intent.name, format!("{} has it taken back", self.device));
                self.ledger.taken_back(&self.device, &asked.intent.name, cancel.cause);
                Vec::new()
            }
            ServerFrame::ResponseAck(ack) => {
                self.acknowledge(ack.request_id, ack.outcome);
                Vec::new()
            }
            ServerFrame::Ping(ping) => vec![ClientFrame::Pong(*ping)],
            ServerFrame::Error(error) => {
                self.ledger.noticed(format!("{} told a wallet", error.code.as_str()));
                Vec::new()
            }
            ServerFrame::Challenge(_) | ServerFrame::Welcome(_) | ServerFrame::Goodbye(_) | ServerFrame::Pong(_) => {
                Vec::new()
            }
        }
    }

    fn ask(&mut self, request: &SignRequest) -> Option<ClientFrame> {
        let SignRequest { request_id: id, message, expires_in_ms, .. } = request;
        let intent = Intent::read(message.as_bytes())?;
        let now = Instant::now();
        let expires = now + Duration::from_millis(*expires_in_ms);
        self.ledger.delivered(&self.device, &intent.name, &id.to_string());
        let asked = self.asked.entry(*id).or_insert_with(|| Asked {
            intent: intent.clone(),
            message: message.clone(),
            came: now,
            expires,
            step: Step::ComingUp(now + COMES_UP),
        });
        if asked.message != *message {
            self.ledger.wrong(&intent.name, &format!("{id} came with another message"));
        }
        asked.expires = expires;
        match &mut asked.step {
            Step::ComingUp(_) => Some(status(*id, WalletState::Received)),
            Step::Shown(_) => Some(status(*id, WalletState::Displayed)),
            Step::Answered { frame, is_acknowledged } => {
                *is_acknowledged = false;
                Some(frame.clone())
            }
            // It is shown once more, and the ledger finds out whether that is the second time.
            Step::Over => {
                (asked.came, asked.step) = (now, Step::ComingUp(now + COMES_UP));
                Some(status(*id, WalletState::Received))
            }
        }
    }

    fn acknowledge(&mut self, id: RequestId, outcome: AckOutcome) {
        let Some(Asked { intent, step: Step::Answered { frame, is_acknowledged }, .. }) = self.asked.get_mut(&id)
        else {
            return;
        };
        *is_acknowledged = true;
        self.ledger.happens(&intent.name, format!("{} is told {}", self.device, outcome.as_str()));
        let end = match frame {
            ClientFrame::SignResponse(_) => Some("signed"),
            ClientFrame::SignReject(SignReject { scope: RejectScope::Key, .. }) => Some("rejected"),
            _ => None,
        };
        match (outcome, end) {
            (AckOutcome::Accepted, Some(end)) => self.ledger.told(&self.device, &intent.name, end, None),
            (AckOutcome::BadSignature | AckOutcome::MessageMismatch, _) => {
                self.ledger.wrong(&intent.name, &format!("{} was told {}", self.device, outcome.as_str()));
            }
            (AckOutcome::Unknown, _) => self.ledger.unknown(&intent.name),
            (AckOutcome::Accepted | AckOutcome::Late | AckOutcome::Duplicate, _) => {}
        }
    }
}

fn status(request_id: RequestId, state: WalletState) -> ClientFrame {
    ClientFrame::RequestStatus(RequestStatus { request_id, state })
}

/// What the human says, as the message has it.
fn answer(request_id: RequestId, asked: &Asked, number: usize, key: &SigningKey) -> ClientFrame {
    let scope = match asked.intent.does {
        Does::Decline => Some(RejectScope::Key),
        Does::NotHere if number == 0 => Some(RejectScope::Device),
        Does::NotHere | Does::Sign | Does::Nothing => None,
    };
    match scope {
        Some(scope) => {
            ClientFrame::SignReject(SignReject { request_id, code: RejectCode::UserRejected, reason: None, scope })
        }
        None => ClientFrame::SignResponse(SignResponse {
            request_id,
            message: asked.message.clone(),
            signature: Signable::Message(&asked.message).sign(key),
            approved_by: Some(ApprovedBy::Human),
        }),
    }
}

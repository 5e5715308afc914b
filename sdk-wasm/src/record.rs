//! What is kept of a request where it outlives the page or process.

use crate::{error::Error, time::Timestamp};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use countersign_protocol::{
    ApprovedBy, ClientFrame, Message, PublicKey, Reason, RejectCode, RejectScope, RequestId, SignReject, SignRequest,
    SignResponse, Signable, Signature,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha512};

/// All that is kept of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The request.
    pub request_id: RequestId,
    /// When its time is over, by the wallet's own clock. It is not part of the JSON: clocks differ between one life of a
    /// wallet and the next, so whoever stores the record says in its own terms when that is.
    pub deadline: Timestamp,
    /// What its owner was shown.
    pub contents: Contents,
    /// How far it has come.
    pub stage: Stage,
}

/// How far a request has come that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// Its owner was asked and has not decided.
    Shown,
    /// Its owner has decided, and nothing says that the server knows.
    Answered {
        /// The decision.
        answer: Answer,
        /// What was to be signed, without which the answer could not be sent again.
        message: Message,
    },
    /// The answer needs no sending again, unless the request comes again.
    Settled {
        /// The decision.
        answer: Answer,
    },
}

/// A record as JSON. One flat object, since every nested one costs a kilobyte of WebAssembly to read.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Flat {
    request_id: Option<RequestId>,
    contents: Option<Contents>,
    message: Option<Message>,
    signature: Option<Signature>,
    approved_by: Option<ApprovedBy>,
    code: Option<RejectCode>,
    reason: Option<Reason>,
    scope: Option<RejectScope>,
}

impl Record {
    /// The record as JSON, without its deadline.
    pub fn to_json(&self) -> String {
        // A struct of strings cannot fail to serialise.
        serde_json::to_string(&Flat::from(self)).unwrap_or_default()
    }

    /// Reads what [`Record::to_json`] wrote.
    ///
    /// # Errors
    /// [`Error::Storage`] for anything else.
    pub fn from_json(json: &str, deadline: Timestamp) -> Result<Self, Error> {
        let record = serde_json::from_str(json).ok().and_then(|flat: Flat| flat.into_record(deadline));
        record.ok_or_else(|| Error::Storage("a record that cannot be read".into()))
    }

    /// Whether it holds a decision of the wallet's owner that has yet to reach the server.
    pub fn is_promise(&self) -> bool {
        match self.stage {
            Stage::Answered { .. } => true,
            Stage::Shown | Stage::Settled { .. } => false,
        }
    }
}

impl From<&Record> for Flat {
    fn from(record: &Record) -> Self {
        let (answer, message) = match record.stage.clone() {
            Stage::Shown => (None, None),
            Stage::Answered { answer, message } => (Some(answer), Some(message)),
            Stage::Settled { answer } => (Some(answer), None),
        };
        let (request_id, contents) = (Some(record.request_id), Some(record.contents.clone()));
        let flat = Self { request_id, contents, message, ..Self::default() };
        match answer {
            None => flat,
            Some(Answer::Signed { signature, approved_by }) => {
                Self { signature: Some(signature), approved_by: Some(approved_by), ..flat }
            }
            Some(Answer::Rejected { code, reason, scope }) => {
                Self { code: Some(code), reason, scope: Some(scope), ..flat }
            }
        }
    }
}

impl Flat {
    fn into_record(self, deadline: Timestamp) -> Option<Record> {
        let Self { request_id, contents, message, signature, approved_by, code, reason, scope } = self;
        let answer = match (signature, approved_by, code, scope) {
            (Some(signature), Some(approved_by), None, None) => Some(Answer::Signed { signature, approved_by }),
            (None, None, Some(code), Some(scope)) => Some(Answer::Rejected { code, reason, scope }),
            (None, None, None, None) => None,
            (_, _, _, _) => return None,
        };
        let stage = match (answer, message) {
            (None, None) => Stage::Shown,
            (Some(answer), Some(message)) => Stage::Answered { answer, message },
            (Some(answer), None) => Stage::Settled { answer },
            (None, Some(_)) => return None,
        };
        Some(Record { request_id: request_id?, deadline, contents: contents?, stage })
    }
}

/// A digest of what a human is shown of a request, so that the same id with other contents is recognised without the contents
/// being kept: the first 32 bytes of the SHA-512 (FIPS 180-4), which the signatures bring along anyway, in base64.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents(Box<str>);

impl Contents {
    /// Those of a request.
    pub fn of(request: &SignRequest) -> Self {
        let purpose = request.purpose.as_ref().map_or("", |purpose| purpose.as_str());
        let mut hash = Sha512::new();
        for part in [request.message.as_bytes(), request.requester.name.as_str().as_bytes(), purpose.as_bytes()] {
            // With its length, so that no byte can move from one part into the next. No purpose is empty.
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Self(STANDARD.encode(hash.finalize().first_chunk::<32>().unwrap_or(&[0; 32])).into())
    }
}

/// What a wallet answered. The message that was signed is not part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// With a signature.
    Signed {
        /// Over the message.
        signature: Signature,
        /// Who decided.
        approved_by: ApprovedBy,
    },
    /// With a refusal.
    Rejected {
        /// Why, for programs.
        code: RejectCode,
        /// Why, for people.
        reason: Option<Reason>,
        /// How much the refusal covers.
        scope: RejectScope,
    },
}

impl Answer {
    /// What this wallet cannot or must not sign.
    pub(crate) fn unsupported(scope: RejectScope) -> Self {
        Self::Rejected { code: RejectCode::Unsupported, reason: None, scope }
    }

    pub(crate) fn frame(&self, request_id: RequestId, message: &Message) -> ClientFrame {
        match self.clone() {
            Self::Signed { signature, approved_by } => ClientFrame::SignResponse(SignResponse {
                request_id,
                message: message.clone(),
                signature,
                approved_by: Some(approved_by),
            }),
            Self::Rejected { code, reason, scope } => {
                ClientFrame::SignReject(SignReject { request_id, code, reason, scope })
            }
        }
    }

    /// Whether the answer may be given for `message`: a signature is only ever sent beside the message it is over.
    pub(crate) fn fits(&self, message: &Message, key: &PublicKey) -> bool {
        match self {
            Self::Signed { signature, .. } => Signable::Message(message).verify(key, signature).is_ok(),
            Self::Rejected { .. } => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_protocol::{Requester, Signable};
    use ed25519_dalek::SigningKey;

    fn request() -> SignRequest {
        SignRequest {
            request_id: RequestId::from_random_bytes([1; 16]),
            message: Message::try_from(&b"ab"[..]).unwrap(),
            expires_in_ms: 1,
            attempt: 1,
            requester: Requester { name: "cd".parse().unwrap() },
            purpose: Some("ef".parse().unwrap()),
            batch: None,
        }
    }

    fn shown() -> Record {
        let SignRequest { request_id, .. } = request();
        let deadline = Timestamp::from_millis(9);
        Record { request_id, deadline, contents: Contents::of(&request()), stage: Stage::Shown }
    }

    #[test]
    fn contents_are_what_is_shown_and_nothing_else() {
        let same = SignRequest { attempt: 7, expires_in_ms: 7, ..request() };
        assert_eq!(Contents::of(&same), Contents::of(&request()));
        let others: [fn(&mut SignRequest); 4] = [
            |request| request.message = Message::try_from(&b"a"[..]).unwrap(),
            |request| request.requester.name = "bcd".parse().unwrap(),
            |request| request.purpose = None,
            |request| {
                request.message = Message::try_from(&b"abc"[..]).unwrap();
                request.requester.name = "d".parse().unwrap();
            },
        ];
        for change in others {
            let mut other = request();
            change(&mut other);
            assert_ne!(Contents::of(&other), Contents::of(&request()));
        }
    }

    #[test]
    fn a_record_survives_its_json_save_for_the_deadline() {
        let SignRequest { message, .. } = request();
        let signature = Signable::Message(&message).sign(&SigningKey::from_bytes(&[1; 32]));
        let signed = Answer::Signed { signature, approved_by: ApprovedBy::Policy("rent".parse().unwrap()) };
        let declined = Answer::Rejected {
            code: RejectCode::UserRejected,
            reason: Some("not mine".parse().unwrap()),
            scope: RejectScope::Key,
        };
        for stage in [Stage::Shown, Stage::Answered { answer: signed, message }, Stage::Settled { answer: declined }] {
            let record = Record { stage, ..shown() };
            assert_eq!(Record::from_json(&record.to_json(), record.deadline), Ok(record));
        }
    }

    #[test]
    fn what_is_no_record_is_an_error() {
        let Record { request_id, contents, .. } = shown();
        let half = Flat {
            request_id: Some(request_id),
            contents: Some(contents),
            code: Some(RejectCode::Locked),
            ..Flat::default()
        };
        let half = serde_json::to_string(&half).unwrap();
        for text in ["", "null", "{}", "[1]", r#"{"request_id":"x"}"#, &half] {
            assert!(matches!(Record::from_json(text, Timestamp::default()), Err(Error::Storage(_))), "{text}");
        }
    }
}

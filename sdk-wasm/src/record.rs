//! What is kept of a request where it outlives the page or process.

use crate::prelude::*;
use crate::{error::Error, time::Timestamp};
use countersign_protocol::{
    ApprovedBy, ClientFrame, Message, Reason, RejectCode, RejectScope, RequestId, SignReject, SignRequest,
    SignResponse, Signature, WireName as _,
    json::{Fields, JsonError, Object, Writer},
};
use sha2::{Digest, Sha256};

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
    /// Its time ran out before its owner decided, by a clock that may be wrong.
    Over,
}

/// A record is one flat object. Which of these are there says which stage it is in.
const FIELDS: Fields =
    Fields::new(&["request_id", "contents", "message", "signature", "approved_by", "code", "reason", "scope", "over"]);

impl Record {
    /// The record as JSON, without its deadline.
    pub fn to_json(&self) -> String {
        let record = Writer::default().plain("request_id", &self.request_id).base64("contents", &self.contents.0);
        match &self.stage {
            Stage::Shown => record,
            Stage::Answered { answer, message } => answer.write(record.base64("message", message.as_bytes())),
            Stage::Settled { answer } => answer.write(record),
            Stage::Over => record.text("over", "expired"),
        }
        .finish()
    }

    /// Reads what [`Record::to_json`] wrote.
    ///
    /// # Errors
    /// [`Error::Storage`] for anything else.
    pub fn from_json(json: &str, deadline: Timestamp) -> Result<Self, Error> {
        let record = Object::read(json, FIELDS).and_then(|record| Self::read(&record, deadline));
        record.map_err(|_| Error::Storage("a record that cannot be read".into()))
    }

    fn read(record: &Object<'_>, deadline: Timestamp) -> Result<Self, JsonError> {
        let stage = match (Answer::read(record)?, record.optional("message")?) {
            (None, None) if record.optional::<String>("over")?.is_some() => Stage::Over,
            (None, None) => Stage::Shown,
            (Some(answer), Some(message)) => Stage::Answered { answer, message },
            (Some(answer), None) => Stage::Settled { answer },
            (None, Some(_)) => return Err(JsonError::missing("signature")),
        };
        let (request_id, contents) = (record.required("request_id")?, Contents(record.base64("contents")?));
        Ok(Self { request_id, deadline, contents, stage })
    }

    /// Whether it holds a decision of the wallet's owner that has yet to reach the server.
    pub fn is_promise(&self) -> bool {
        match self.stage {
            Stage::Answered { .. } => true,
            Stage::Shown | Stage::Settled { .. } | Stage::Over => false,
        }
    }
}

/// A digest of what a human is shown of a request, so that the same id with other contents is recognised without the contents
/// being kept: SHA-256 (FIPS 180-4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contents([u8; 32]);

impl Contents {
    /// Those of a request.
    pub fn of(request: &SignRequest) -> Self {
        let purpose = request.purpose.as_ref().map_or("", |purpose| purpose.as_str());
        let mut hash = Sha256::new();
        for part in [request.message.as_bytes(), request.requester.name.as_str().as_bytes(), purpose.as_bytes()] {
            // With its length, so that no byte can move from one part into the next. No purpose is empty.
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
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

    fn write(&self, record: Writer) -> Writer {
        match self {
            Self::Signed { signature, approved_by } => {
                record.base64("signature", signature.as_bytes()).text("approved_by", &approved_by.to_string())
            }
            Self::Rejected { code, reason, scope } => record
                .text("code", code.as_str())
                .optional(reason.as_ref(), |record, reason| record.text("reason", reason.as_str()))
                .text("scope", scope.as_str()),
        }
    }

    fn read(record: &Object<'_>) -> Result<Option<Self>, JsonError> {
        Ok(match (record.optional("signature")?, record.optional_name("code")?) {
            (None, None) => None,
            (Some(signature), None) => Some(Self::Signed { signature, approved_by: record.required("approved_by")? }),
            (None, Some(code)) => {
                Some(Self::Rejected { code, reason: record.optional("reason")?, scope: record.name("scope")? })
            }
            (Some(_), Some(_)) => return Err(JsonError::duplicate("code")),
        })
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
            replaces: None,
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
        let answered = Stage::Answered { answer: signed, message };
        for stage in [Stage::Shown, answered, Stage::Settled { answer: declined }, Stage::Over] {
            let record = Record { stage, ..shown() };
            assert_eq!(Record::from_json(&record.to_json(), record.deadline), Ok(record));
        }
    }

    #[test]
    fn what_is_no_record_is_an_error() {
        let with = |fields: &str| shown().to_json().replace('}', &format!(",{fields}}}"));
        let signature = format!(r#""signature":"{}==""#, "A".repeat(86));
        let (by_nobody, half) = (with(&signature), with(r#""code":"locked""#));
        let both = with(&format!(r#"{signature},"approved_by":"human","code":"locked","scope":"key""#));
        let message_alone = with(r#""message":"aGk=""#);
        for text in ["", "null", "{}", "[1]", r#"{"request_id":"x"}"#, &by_nobody, &half, &both, &message_alone] {
            assert!(matches!(Record::from_json(text, Timestamp::default()), Err(Error::Storage(_))), "{text}");
        }
    }
}

//! Writes frames as JSON text, each in its one canonical form.

use super::{
    Batch, ChallengeFrame, ClientFrame, Device, ErrorFrame, Goodbye, Introduction, PingPong, RequestCancel,
    RequestStatus, ResponseAck, ServerFrame, SignReject, SignRequest, SignResponse, Welcome, WelcomeLimits,
};
use crate::prelude::*;
use crate::{json::Writer, wire_name::WireName};

impl ClientFrame {
    /// The frame as JSON text.
    pub fn to_json(&self) -> String {
        match self {
            Self::Introduction(introduction) => introduction.write(),
            Self::RequestStatus(status) => status.write(),
            Self::SignResponse(response) => response.write(),
            Self::SignReject(reject) => reject.write(),
            Self::Ping(beat) => beat.write("ping"),
            Self::Pong(beat) => beat.write("pong"),
        }
        .finish()
    }
}

impl ServerFrame {
    /// The frame as JSON text.
    pub fn to_json(&self) -> String {
        match self {
            Self::Challenge(challenge) => challenge.write(),
            Self::Welcome(welcome) => welcome.write(),
            Self::SignRequest(request) => request.write(),
            Self::RequestCancel(cancel) => cancel.write(),
            Self::ResponseAck(ack) => ack.write(),
            Self::Error(error) => error.write(),
            Self::Goodbye(goodbye) => goodbye.write(),
            Self::Ping(beat) => beat.write("ping"),
            Self::Pong(beat) => beat.write("pong"),
        }
        .finish()
    }
}

fn frame(kind: &str) -> Writer {
    Writer::default().text("type", kind)
}

/// The most that a `usize` of either side holds is 64 bits.
fn count(number: usize) -> u64 {
    number as u64
}

impl ChallengeFrame {
    fn write(&self) -> Writer {
        frame("challenge").base64("challenge", self.challenge.as_bytes())
    }
}

impl Introduction {
    fn write(&self) -> Writer {
        frame("introduction")
            .base64("public_key", self.public_key.as_bytes())
            .optional(self.proof.as_ref(), |frame, proof| frame.base64("proof", proof.as_bytes()))
            .optional(self.device.as_ref(), |frame, device| frame.object("device", device.write()))
    }
}

impl Device {
    fn write(&self) -> Writer {
        Writer::default().text("id", self.id.as_str()).text("label", self.label.as_str())
    }
}

impl Welcome {
    fn write(&self) -> Writer {
        frame("welcome")
            .plain("connection_id", &self.connection_id)
            .integer("heartbeat_ms", self.heartbeat_ms)
            .object("limits", self.limits.write())
    }
}

impl WelcomeLimits {
    fn write(&self) -> Writer {
        Writer::default()
            .integer("max_message_bytes", count(self.max_message_bytes))
            .integer("max_inflight", count(self.max_inflight))
    }
}

impl SignRequest {
    fn write(&self) -> Writer {
        frame("sign_request")
            .plain("request_id", &self.request_id)
            .base64("message", self.message.as_bytes())
            .integer("expires_in_ms", self.expires_in_ms)
            .integer("attempt", self.attempt.into())
            .object("requester", Writer::default().text("name", self.requester.name.as_str()))
            .optional(self.purpose.as_ref(), |frame, purpose| frame.text("purpose", purpose.as_str()))
            .optional(self.batch, |frame, batch| frame.object("batch", batch.write()))
    }
}

impl Batch {
    fn write(self) -> Writer {
        Writer::default().plain("id", &self.id).integer("index", self.index.into()).integer("size", self.size.into())
    }
}

impl RequestStatus {
    fn write(&self) -> Writer {
        frame("request_status").plain("request_id", &self.request_id).text("state", self.state.as_str())
    }
}

impl SignResponse {
    fn write(&self) -> Writer {
        frame("sign_response")
            .plain("request_id", &self.request_id)
            .base64("message", self.message.as_bytes())
            .base64("signature", self.signature.as_bytes())
            .optional(self.approved_by.as_ref(), |frame, by| frame.text("approved_by", &by.to_string()))
    }
}

impl SignReject {
    fn write(&self) -> Writer {
        frame("sign_reject")
            .plain("request_id", &self.request_id)
            .text("code", self.code.as_str())
            .optional(self.reason.as_ref(), |frame, reason| frame.text("reason", reason.as_str()))
            .text("scope", self.scope.as_str())
    }
}

impl RequestCancel {
    fn write(&self) -> Writer {
        frame("request_cancel").plain("request_id", &self.request_id).text("cause", self.cause.as_str())
    }
}

impl ResponseAck {
    fn write(&self) -> Writer {
        frame("response_ack").plain("request_id", &self.request_id).text("outcome", self.outcome.as_str())
    }
}

impl PingPong {
    fn write(self, kind: &str) -> Writer {
        frame(kind).integer("t", self.t)
    }
}

impl ErrorFrame {
    fn write(&self) -> Writer {
        frame("error")
            .text("code", self.code.as_str())
            .text("message", &self.message)
            .optional(self.request_id, |frame, id| frame.plain("request_id", &id))
    }
}

impl Goodbye {
    fn write(&self) -> Writer {
        frame("goodbye").text("reason", self.reason.as_str()).integer("reconnect_after_ms", self.reconnect_after_ms)
    }
}

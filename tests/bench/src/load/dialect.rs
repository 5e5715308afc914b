//! What a wallet says to each server.

use crate::{Fallible, fixture::Wallet, text::field};
use countersign_protocol::{Audience, Challenge, ClientFrame, Introduction, Origin, Signable};
use serde_json::json;
use std::fmt::Write as _;

/// How the wallets of a server talk.
#[derive(Clone)]
pub(crate) enum Dialect {
    /// Ours: challenge, proof, welcome; every answer is acknowledged.
    Countersign(Audience),
    /// The original plan's: a bare introduction that nobody answers.
    Plan,
    /// The plan's frames as socket.io events with acknowledgements (Engine.IO 4, Socket.IO 5).
    SocketIo,
}

/// What a frame meant for the wallet.
pub(crate) enum Heard {
    /// The wallet is welcome and may be asked.
    Welcome,
    /// The introduction has been sent, and no frame will say when it was read.
    Introduced,
    /// Nothing more than the reply, if there is one.
    Handled,
}

impl Dialect {
    /// The path to dial.
    pub(crate) fn endpoint(&self) -> &'static str {
        match self {
            Self::Countersign(_) | Self::Plan => "/ws",
            Self::SocketIo => "/socket.io/?EIO=4&transport=websocket",
        }
    }

    /// The wallet's first frame, where the wallet speaks first.
    pub(crate) fn opening(&self, wallet: &Wallet) -> Option<String> {
        match self {
            Self::Plan => Some(json!({ "type": "introduction", "public_key": wallet.name }).to_string()),
            Self::Countersign(_) | Self::SocketIo => None,
        }
    }

    /// Takes a frame and writes the reply, if there is one.
    pub(crate) fn hear(&self, wallet: &Wallet, frame: &str, reply: &mut String) -> Fallible<Heard> {
        match self {
            Self::Countersign(audience) => hear_countersign(audience, wallet, frame, reply),
            Self::Plan => answer(wallet, frame, reply),
            Self::SocketIo => hear_socket_io(wallet, frame, reply),
        }
    }
}

fn hear_countersign(audience: &Audience, wallet: &Wallet, frame: &str, reply: &mut String) -> Fallible<Heard> {
    match field(frame, "type") {
        Some("sign_request") => answer(wallet, frame, reply),
        Some("response_ack") if field(frame, "outcome") == Some("accepted") => Ok(Heard::Handled),
        Some("challenge") => {
            let challenge = field(frame, "challenge").ok_or("no challenge")?.parse()?;
            reply.push_str(&introduction(audience, wallet, &challenge).to_json());
            Ok(Heard::Handled)
        }
        Some("welcome") => Ok(Heard::Welcome),
        _ => Err(format!("the server said {frame}").into()),
    }
}

fn introduction(audience: &Audience, wallet: &Wallet, challenge: &Challenge) -> ClientFrame {
    let (public_key, origin) = (wallet.public_key, Origin::default());
    let signable = Signable::Introduction { challenge, public_key: &public_key, audience, origin: &origin };
    ClientFrame::Introduction(Introduction { public_key, proof: Some(signable.sign(&wallet.key)), device: None })
}

fn hear_socket_io(wallet: &Wallet, frame: &str, reply: &mut String) -> Fallible<Heard> {
    if let Some(event) = frame.strip_prefix("42") {
        let (id, request) = event.split_once('[').ok_or("an event without arguments")?;
        write!(reply, "43{id}[")?;
        answer(wallet, request, reply)?;
        reply.push(']');
        return Ok(Heard::Handled);
    }
    if frame.starts_with("40") {
        write!(reply, "42{}", json!(["introduction", { "public_key": wallet.name }]))?;
        return Ok(Heard::Introduced);
    }
    match frame.as_bytes() {
        [b'0', ..] => reply.push_str("40"),
        [b'2'] => reply.push('3'),
        _ => return Err(format!("the server said {frame}").into()),
    }
    Ok(Heard::Handled)
}

/// Answers a request with the signature that was made beforehand.
pub(super) fn answer(wallet: &Wallet, request: &str, reply: &mut String) -> Fallible<Heard> {
    let id = field(request, "request_id").ok_or("a request without an id")?;
    let message = field(request, "message").ok_or("a request without a message")?;
    let signature = wallet.signature_over(message).ok_or("a message that nobody asked to have signed")?;
    write!(reply, r#"{{"type":"sign_response","request_id":"{id}","message":"{message}","signature":"{signature}"}}"#)?;
    Ok(Heard::Handled)
}

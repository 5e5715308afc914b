//! The frames that open a connection.

use crate::{
    Challenge, ConnectionId, DeviceId, DeviceLabel, JsonError, PublicKeyBytes, Signature,
    json::{Fields, Object, Writer},
};

const DEVICE_FIELDS: Fields = Fields::new(&["id", "label"]);
const LIMITS_FIELDS: Fields = Fields::new(&["max_message_bytes", "max_inflight"]);

/// `challenge`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChallengeFrame {
    /// What the proof has to be over.
    pub challenge: Challenge,
}

impl ChallengeFrame {
    pub(super) fn read(frame: &Object<'_>) -> Result<Self, JsonError> {
        Ok(Self { challenge: frame.required("challenge")? })
    }

    pub(super) fn write(&self, frame: Writer) -> Writer {
        frame.base64("challenge", self.challenge.as_bytes())
    }
}

/// `introduction`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Introduction {
    /// The key the wallet holds; admitted by the session, not by the parser.
    pub public_key: PublicKeyBytes,
    /// The signature over [`Signable::Introduction`](crate::Signable::Introduction).
    pub proof: Option<Signature>,
    /// Which of the key's devices this is.
    pub device: Option<Device>,
}

impl Introduction {
    pub(super) fn read(frame: &Object<'_>) -> Result<Self, JsonError> {
        Ok(Self {
            public_key: frame.required("public_key")?,
            proof: frame.optional("proof")?,
            device: frame.optional_object("device", DEVICE_FIELDS, Device::read)?,
        })
    }

    pub(super) fn write(&self, frame: Writer) -> Writer {
        frame
            .base64("public_key", self.public_key.as_bytes())
            .optional(self.proof.as_ref(), |frame, proof| frame.base64("proof", proof.as_bytes()))
            .optional(self.device.as_ref(), |frame, device| frame.object("device", device.write()))
    }
}

/// A device among those that hold one key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Device {
    /// Stable over reconnects.
    pub id: DeviceId,
    /// For people.
    pub label: DeviceLabel,
}

impl Device {
    fn read(device: &Object<'_>) -> Result<Self, JsonError> {
        Ok(Self { id: device.required("id")?, label: device.required("label")? })
    }

    fn write(&self) -> Writer {
        Writer::default().text("id", self.id.as_str()).text("label", self.label.as_str())
    }
}

/// `welcome`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Welcome {
    /// Names this connection, in logs above all.
    pub connection_id: ConnectionId,
    /// The longest a wallet may be silent, in milliseconds, before the server asks and then closes.
    pub heartbeat_ms: u64,
    /// What this server allows.
    pub limits: WelcomeLimits,
}

impl Welcome {
    pub(super) fn read(frame: &Object<'_>) -> Result<Self, JsonError> {
        Ok(Self {
            connection_id: frame.required("connection_id")?,
            heartbeat_ms: frame.integer("heartbeat_ms")?,
            limits: frame.object("limits", LIMITS_FIELDS, WelcomeLimits::read)?,
        })
    }

    pub(super) fn write(&self, frame: Writer) -> Writer {
        frame
            .plain("connection_id", &self.connection_id)
            .integer("heartbeat_ms", self.heartbeat_ms)
            .object("limits", self.limits.write())
    }
}

/// The limits a server states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WelcomeLimits {
    /// The longest message it forwards, in bytes.
    pub max_message_bytes: usize,
    /// The most requests open on one connection at once.
    pub max_inflight: usize,
}

impl WelcomeLimits {
    fn read(limits: &Object<'_>) -> Result<Self, JsonError> {
        Ok(Self {
            max_message_bytes: limits.integer("max_message_bytes")?,
            max_inflight: limits.integer("max_inflight")?,
        })
    }

    fn write(&self) -> Writer {
        Writer::default()
            .integer("max_message_bytes", count(self.max_message_bytes))
            .integer("max_inflight", count(self.max_inflight))
    }
}

/// The most that a `usize` of either side holds is 64 bits.
fn count(number: usize) -> u64 {
    number as u64
}

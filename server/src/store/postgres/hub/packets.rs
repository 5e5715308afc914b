//! Packets as text. A neighbour of the next version may add fields and kinds of mail: what is not known here is left out.

use super::as_text::{node, text};
use crate::cluster::{Mail, NodeId, Packet};
use countersign_protocol::{ConnectionId, Device, DeviceId, DeviceLabel, PublicKeyBytes, RequestId};
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, sync::Arc};

/// One packet, in one line.
pub(super) fn write(packet: &Packet) -> Option<String> {
    let Packet { from, to, epoch, number, received, broken, mail } = packet;
    let text = PacketText {
        from: *from,
        to: *to,
        epoch: *epoch,
        number: *number,
        received: *received,
        broken: *broken,
        mail: mail.iter().map(MailText::from).collect(),
    };
    serde_json::to_string(&text).ok()
}

/// Reads a packet back.
pub(super) fn read(text: &str) -> Option<Packet> {
    let PacketText { from, to, epoch, number, received, broken, mail } = serde_json::from_str(text).ok()?;
    let mail = mail.into_iter().map(MailText::into_mail).collect();
    Some(Packet { from, to, epoch, number, received, broken, mail })
}

#[derive(Serialize, Deserialize)]
struct PacketText<'a> {
    #[serde(with = "node")]
    from: NodeId,
    #[serde(with = "node")]
    to: NodeId,
    epoch: u32,
    number: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    received: Option<(u32, u64)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    broken: Option<u32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    mail: Vec<MailText<'a>>,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum MailText<'a> {
    Arrived {
        #[serde(with = "text")]
        connection: ConnectionId,
        #[serde(with = "text")]
        public_key: PublicKeyBytes,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        device: Option<DeviceText>,
    },
    Left {
        #[serde(with = "text")]
        connection: ConnectionId,
    },
    ForWallet {
        #[serde(with = "text")]
        connection: ConnectionId,
        frame: Cow<'a, str>,
    },
    Complete,
    FromWallet {
        #[serde(with = "text")]
        connection: ConnectionId,
        frame: Cow<'a, str>,
    },
    WhoseIs {
        #[serde(with = "text")]
        connection: ConnectionId,
        #[serde(with = "text")]
        public_key: PublicKeyBytes,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        device: Option<DeviceText>,
        #[serde(with = "text")]
        request_id: RequestId,
    },
    Mine {
        #[serde(with = "text")]
        connection: ConnectionId,
        #[serde(with = "text")]
        request_id: RequestId,
        mine: bool,
    },
    Follow {
        #[serde(with = "text")]
        request_id: RequestId,
    },
    Changed {
        #[serde(with = "text")]
        request_id: RequestId,
    },
    Withdraw {
        #[serde(with = "text")]
        request_id: RequestId,
        #[serde(default, skip_serializing_if = "is_false")]
        by_operator: bool,
    },
    Orphans,
    /// What a later version says.
    #[serde(other)]
    Other,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // As serde calls it.
fn is_false(value: &bool) -> bool {
    !value
}

#[derive(Serialize, Deserialize)]
struct DeviceText {
    #[serde(with = "text")]
    id: DeviceId,
    #[serde(with = "text")]
    label: DeviceLabel,
}

impl<'a> From<&'a Mail> for MailText<'a> {
    fn from(mail: &'a Mail) -> Self {
        match mail {
            Mail::Arrived { connection, public_key, device } => {
                Self::Arrived { connection: *connection, public_key: *public_key, device: device_text(device.as_ref()) }
            }
            Mail::Left { connection } => Self::Left { connection: *connection },
            Mail::ForWallet { connection, frame } => Self::ForWallet { connection: *connection, frame: frame.into() },
            Mail::Complete => Self::Complete,
            Mail::FromWallet { connection, frame } => Self::FromWallet { connection: *connection, frame: frame.into() },
            Mail::WhoseIs { connection, public_key, device, request_id } => Self::WhoseIs {
                connection: *connection,
                public_key: *public_key,
                device: device_text(device.as_ref()),
                request_id: *request_id,
            },
            Mail::Mine { connection, request_id, mine } => {
                Self::Mine { connection: *connection, request_id: *request_id, mine: *mine }
            }
            Mail::Follow { request_id } => Self::Follow { request_id: *request_id },
            Mail::Changed { request_id } => Self::Changed { request_id: *request_id },
            Mail::Withdraw { request_id, by_operator } => {
                Self::Withdraw { request_id: *request_id, by_operator: *by_operator }
            }
            Mail::Orphans => Self::Orphans,
            Mail::Other => Self::Other,
        }
    }
}

impl MailText<'_> {
    fn into_mail(self) -> Mail {
        match self {
            Self::Arrived { connection, public_key, device } => {
                Mail::Arrived { connection, public_key, device: device.map(device_of) }
            }
            Self::Left { connection } => Mail::Left { connection },
            Self::ForWallet { connection, frame } => Mail::ForWallet { connection, frame: frame.into_owned() },
            Self::Complete => Mail::Complete,
            Self::FromWallet { connection, frame } => Mail::FromWallet { connection, frame: frame.into_owned() },
            Self::WhoseIs { connection, public_key, device, request_id } => {
                Mail::WhoseIs { connection, public_key, device: device.map(device_of), request_id }
            }
            Self::Mine { connection, request_id, mine } => Mail::Mine { connection, request_id, mine },
            Self::Follow { request_id } => Mail::Follow { request_id },
            Self::Changed { request_id } => Mail::Changed { request_id },
            Self::Withdraw { request_id, by_operator } => Mail::Withdraw { request_id, by_operator },
            Self::Orphans => Mail::Orphans,
            Self::Other => Mail::Other,
        }
    }
}

fn device_text(device: Option<&Arc<Device>>) -> Option<DeviceText> {
    device.map(|device| DeviceText { id: device.id.clone(), label: device.label.clone() })
}

fn device_of(DeviceText { id, label }: DeviceText) -> Arc<Device> {
    Arc::new(Device { id, label })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_mail() -> Vec<Mail> {
        let connection = ConnectionId::from_bytes([0xab; 16]);
        let public_key = PublicKeyBytes::from([0xfe; 32]);
        let request_id = RequestId::from_bytes([0xcd; 16]);
        let device = Arc::new(Device { id: "laptop".parse().unwrap(), label: "Anna's \"läptop\"".parse().unwrap() });
        let frame = "{\"type\":\"sign_request\",\"purpose\":\"\\u0000 \n 🦀\"}".to_owned();
        let mut mail = Vec::new();
        for device in [None, Some(device)] {
            mail.push(Mail::Arrived { connection, public_key, device: device.clone() });
            mail.push(Mail::WhoseIs { connection, public_key, device, request_id });
        }
        mail.extend([true, false].map(|mine| Mail::Mine { connection, request_id, mine }));
        mail.extend([
            Mail::Left { connection },
            Mail::ForWallet { connection, frame: frame.clone() },
            Mail::Complete,
            Mail::FromWallet { connection, frame },
            Mail::Follow { request_id },
            Mail::Changed { request_id },
            Mail::Withdraw { request_id, by_operator: false },
            Mail::Withdraw { request_id, by_operator: true },
            Mail::Orphans,
        ]);
        mail
    }

    #[test]
    fn every_packet_is_read_back_as_it_was_written() {
        let (from, to) = (NodeId::from_bits(u64::MAX), NodeId::from_bits(7));
        for (received, broken) in [(None, None), (Some((u32::MAX, u64::MAX)), Some(0)), (Some((0, 0)), Some(u32::MAX))]
        {
            for mail in [vec![], every_mail()] {
                let packet = Packet { from, to, epoch: u32::MAX, number: u64::MAX, received, broken, mail };
                let text = write(&packet).unwrap();
                assert!(!text.contains('\n') && text.starts_with('{'));
                assert_eq!(read(&text), Some(packet));
            }
        }
    }

    #[test]
    fn what_a_later_version_adds_is_left_out() {
        let text = r#"{"from":"0000000000000001","to":"0000000000000002","epoch":1,"number":2,"colour":"red","mail":[
            {"kind":"complete","more":{"x":[1]}},{"kind":"sealed","frame":"x"},{"kind":"orphans"}]}"#;
        let mail = vec![Mail::Complete, Mail::Other, Mail::Orphans];
        let (from, to) = (NodeId::from_bits(1), NodeId::from_bits(2));
        assert_eq!(read(text), Some(Packet { from, to, epoch: 1, number: 2, received: None, broken: None, mail }));
    }

    #[test]
    fn what_is_no_packet_is_none() {
        let whole = write(&Packet {
            from: NodeId::from_bits(1),
            to: NodeId::from_bits(2),
            epoch: 1,
            number: 1,
            received: None,
            broken: None,
            mail: every_mail(),
        })
        .unwrap();
        for length in (0..whole.len()).filter(|length| whole.is_char_boundary(*length)) {
            assert_eq!(read(&whole[..length]), None);
        }
        for (part, other) in
            [("\"epoch\":1", "\"epoch\":-1"), ("abababab-", "ABABABAB-"), ("\"from\":\"0", "\"from\":\"x")]
        {
            let changed = whole.replacen(part, other, 1);
            assert_ne!(changed, whole);
            assert_eq!(read(&changed), None);
        }
    }
}

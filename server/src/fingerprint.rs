//! What tells one call from another under the same idempotency key.

use crate::request::Terms;
use countersign_protocol::Message;
use sha2::{Digest, Sha256};

/// SHA-256 over everything that is asked for, each part behind its length, so that no two calls give the same bytes. Not over the
/// requester: each has keys of its own.
pub(crate) fn fingerprint<'a>(terms: &Terms, messages: impl Iterator<Item = &'a Message>) -> [u8; 32] {
    let Terms { public_key, requester: _, purpose, timeout, delivery_timeout, queue, idempotency_key: _, webhook } =
        terms;
    let mut hash = Sha256::new();
    let mut part = |bytes: Option<&[u8]>| {
        hash.update(bytes.map_or(u64::MAX, |bytes| bytes.len() as u64).to_be_bytes());
        hash.update(bytes.unwrap_or_default());
    };
    part(Some(public_key.as_bytes()));
    part(purpose.as_ref().map(|purpose| purpose.as_str().as_bytes()));
    part(Some(&timeout.as_millis().to_be_bytes()));
    part(delivery_timeout.map(|timeout| timeout.as_millis().to_be_bytes()).as_ref().map(<[u8; 16]>::as_slice));
    part(Some(&[u8::from(*queue)]));
    part(webhook.as_deref().map(str::as_bytes));
    for message in messages {
        part(Some(message.as_bytes()));
    }
    hash.finalize().into()
}

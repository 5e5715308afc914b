//! What is asked beside the messages: by whom, of whom, until when; and what tells one call from another.

use crate::{
    call_context::CallContext, error::SigningError, idempotency::IdempotencyKey, metadata::Metadata,
    record::WebhookUrl, reference::Reference, requester::RequesterId, time::Timestamp,
};
use countersign_protocol::{
    Message, PublicKeyBytes, Purpose, RequestId, RequesterName,
    limits::{DEFAULT_DELIVERY_TIMEOUT_MS, DEFAULT_TIMEOUT_MS, MAX_TIMEOUT_MS, MIN_TIMEOUT_MS},
};
use sha2::{Digest, Sha256};
use std::{num::NonZeroU32, sync::Arc, time::Duration};

/// What is asked beside the message.
#[derive(Debug)]
pub(super) struct Terms {
    pub(super) public_key: PublicKeyBytes,
    pub(super) requester_id: Option<RequesterId>,
    pub(super) requester: Option<RequesterName>,
    pub(super) purpose: Option<Purpose>,
    pub(super) reference: Option<Reference>,
    pub(super) metadata: Option<Metadata>,
    pub(super) timeout: Duration,
    pub(super) delivery_timeout: Option<Duration>,
    pub(super) queue: bool,
    pub(super) idempotency_key: Option<IdempotencyKey>,
    pub(super) webhook: Option<WebhookUrl>,
    pub(super) replaces: Option<RequestId>,
    pub(super) call: Option<Arc<CallContext>>,
    pub(super) max_pending: Option<NonZeroU32>,
}

impl Terms {
    /// Those of a request of which nothing else is said.
    pub(super) fn new(public_key: PublicKeyBytes) -> Self {
        Self {
            public_key,
            requester_id: None,
            requester: None,
            purpose: None,
            reference: None,
            metadata: None,
            timeout: Duration::from_millis(DEFAULT_TIMEOUT_MS),
            delivery_timeout: None,
            queue: false,
            idempotency_key: None,
            webhook: None,
            replaces: None,
            call: None,
            max_pending: None,
        }
    }

    /// When a wallet has to have it, and when it has to be answered.
    pub(super) fn deadlines(&self, now: Timestamp) -> Result<(Timestamp, Timestamp), SigningError> {
        let (least, most) = (Duration::from_millis(MIN_TIMEOUT_MS), Duration::from_millis(MAX_TIMEOUT_MS));
        if !(least..=most).contains(&self.timeout) {
            return Err(SigningError::InvalidTimeout(self.timeout));
        }
        let delivery = self.delivery_timeout.unwrap_or_else(|| self.default_delivery_timeout());
        if !(least..=self.timeout).contains(&delivery) {
            return Err(SigningError::InvalidDeliveryTimeout(delivery));
        }
        Ok((now.after(delivery), now.after(self.timeout)))
    }

    /// How long the delivery may take where nothing is said of it.
    fn default_delivery_timeout(&self) -> Duration {
        let allowed = if self.queue { self.timeout } else { Duration::from_millis(DEFAULT_DELIVERY_TIMEOUT_MS) };
        allowed.min(self.timeout)
    }

    /// How else the same is said of the delivery: by leaving it out where it is as it would be anyway, and by spelling that out. Kept
    /// fingerprints are over what was said.
    pub(super) fn delivery_timeout_otherwise(&self) -> Option<Option<Duration>> {
        let default = self.default_delivery_timeout();
        match self.delivery_timeout {
            None => Some(Some(default)),
            Some(timeout) if timeout == default => Some(None),
            Some(_) => None,
        }
    }

    /// SHA-256 over everything that is asked for, each part behind its length, so that no two calls give the same bytes: by it a
    /// repetition under the same idempotency key is told from another call. Not over the requester: each has keys of its own. What is said
    /// of the delivery is given apart, since the same can be said in [two ways](Self::delivery_timeout_otherwise).
    pub(super) fn fingerprint<'a>(
        &self,
        delivery_timeout: Option<Duration>,
        messages: impl Iterator<Item = &'a Message>,
    ) -> [u8; 32] {
        let Self {
            public_key,
            requester_id: _,
            requester: _,
            purpose,
            reference,
            metadata,
            timeout,
            delivery_timeout: _,
            queue,
            idempotency_key: _,
            webhook,
            replaces,
            call: _,
            max_pending: _,
        } = self;
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
        // Behind what no message begins with; and where there is neither, what was asked before there were any is the same as ever.
        if reference.is_some() || metadata.is_some() {
            part(None);
            part(reference.as_ref().map(|reference| reference.as_str().as_bytes()));
            part(
                metadata
                    .as_ref()
                    .map(|metadata| (metadata.iter().count() as u64).to_be_bytes())
                    .as_ref()
                    .map(<[u8; 8]>::as_slice),
            );
            for (name, value) in metadata.iter().flat_map(Metadata::iter) {
                part(Some(name.as_bytes()));
                part(Some(value.as_bytes()));
            }
        }
        for message in messages {
            part(Some(message.as_bytes()));
        }
        // Likewise, behind what is no message.
        if let Some(replaces) = replaces {
            part(None);
            part(Some(&replaces.to_bytes()));
        }
        hash.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_asked_for_otherwise_has_another_fingerprint() {
        let metadata = |values: &[(&str, &str)]| Some(Metadata::new(values.iter().copied()).unwrap());
        let reference = |text: &str| Some(text.parse::<Reference>().unwrap());
        let asked = [
            (None, None, &["a", "b"][..]),
            (None, None, &["ab"]),
            (reference("a"), None, &["b"]),
            (reference("ab"), None, &["b"]),
            (reference("a"), metadata(&[("b", "c")]), &["d"]),
            (None, metadata(&[("a", "b")]), &["d"]),
            (None, metadata(&[("a", "b"), ("c", "d")]), &["e"]),
            (None, metadata(&[("a", "b")]), &["c", "d", "e"]),
            (None, metadata(&[("ab", "")]), &["d"]),
        ];
        let fingerprint = |(reference, metadata, messages): &(Option<Reference>, Option<Metadata>, &[&str])| {
            let messages: Vec<Message> =
                messages.iter().map(|message| message.as_bytes().to_vec().try_into().unwrap()).collect();
            let terms =
                Terms { reference: reference.clone(), metadata: metadata.clone(), ..Terms::new([1; 32].into()) };
            terms.fingerprint(None, messages.iter())
        };
        let mut all: std::collections::HashSet<_> = asked.iter().map(fingerprint).collect();
        assert_eq!(all.len(), asked.len());

        for (n, messages) in [(1, &["a"][..]), (2, &["a"]), (2, &["a", "b"])] {
            let replaces = Some(RequestId::from_random_bytes([n; 16]));
            let terms = Terms { replaces, ..Terms::new([1; 32].into()) };
            let messages: Vec<Message> =
                messages.iter().map(|message| message.as_bytes().to_vec().try_into().unwrap()).collect();
            assert!(all.insert(terms.fingerprint(None, messages.iter())), "in the place of {n}");
        }
    }

    /// Fingerprints are kept, and have to be found again by every later version.
    #[test]
    fn what_could_be_asked_for_before_has_the_fingerprint_it_had() {
        let message = Message::try_from(&b"hello"[..]).unwrap();
        let reference = Some("order-1042".parse().unwrap());
        let metadata = Some(Metadata::new([("customer", "c-7")]).unwrap());
        let fingerprint = |terms: Terms| -> String {
            let bytes = terms.fingerprint(None, [&message].into_iter());
            bytes.iter().map(|byte| format!("{byte:02x}")).collect()
        };
        let key = PublicKeyBytes::from([1; 32]);
        assert_eq!(fingerprint(Terms::new(key)), "be3201afbf8e2f437db7864c92b043350f0d8989bfe5cc84e96c8cc4e353c30c");
        assert_eq!(
            fingerprint(Terms { reference, metadata, ..Terms::new(key) }),
            "6ad5ccc44487d3ba719c953c9a067f59136a8edbedf501a9841e78009e4f2919"
        );
    }

    #[test]
    fn the_default_of_the_delivery_is_the_same_said_and_left_out() {
        let seconds = Duration::from_secs;
        let otherwise = |queue, timeout, delivery_timeout| {
            let terms = Terms { queue, timeout: seconds(timeout), delivery_timeout, ..Terms::new([1; 32].into()) };
            terms.delivery_timeout_otherwise()
        };
        for (queue, timeout, default) in [(false, 60, 10), (false, 5, 5), (true, 60, 60), (true, 5, 5)] {
            assert_eq!(otherwise(queue, timeout, None), Some(Some(seconds(default))));
            assert_eq!(otherwise(queue, timeout, Some(seconds(default))), Some(None));
            assert_eq!(otherwise(queue, timeout, Some(seconds(4))), None);
        }
    }
}

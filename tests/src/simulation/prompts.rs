//! How often a human has been asked the same, and by whom.

use super::events::DeviceId;
use countersign_protocol::RequestId;
use std::collections::BTreeMap;

/// What one device has made of one request.
#[derive(Debug, Default)]
struct Prompt {
    /// In which life of the wallet it was shown last.
    shown_in: Option<(u64, u64)>,
    /// In which life of the process its end was told last. One that ended may not have written down that it did.
    ended_in: Option<u64>,
    /// Its end was told, and was not the wallet's own doing.
    is_over: bool,
    /// It was answered, and the answer has left the device.
    is_sent: bool,
}

/// All prompts of all devices.
#[derive(Debug, Default)]
pub(super) struct Prompts(BTreeMap<(DeviceId, RequestId), Prompt>);

/// What a device's storage has to say about a request, when it is shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Witness {
    /// Which life of the process this is, and how often its owner has closed the wallet in it.
    pub(super) life: (u64, u64),
    /// The record of its having been shown was ever written.
    pub(super) has_shown: bool,
    /// The record of a decision was ever written.
    pub(super) has_decided: bool,
    /// The record of its having run out was ever written.
    pub(super) has_run_out: bool,
    /// The device has lost its storage, or never had one, so that nothing can be asked of it.
    pub(super) is_waived: bool,
    pub(super) resumed: bool,
    /// Its time of day was set in this life of the process, so that requests may be over by its clock alone.
    pub(super) clock_was_set: bool,
}

impl Prompts {
    /// Takes note of a prompt; the promise it breaks, if it does.
    pub(super) fn show(&mut self, device: DeviceId, id: RequestId, witness: Witness) -> Option<&'static str> {
        let prompt = self.0.entry((device, id)).or_default();
        let before = prompt.shown_in.replace(witness.life);
        let broken = match before {
            Some(life) if life == witness.life => Some("a request was shown twice by one wallet"),
            _ if witness.is_waived => None,
            None if witness.resumed => Some("a request was shown as resumed that was never shown"),
            None => None,
            Some(_) if prompt.is_over || witness.has_run_out => Some("a request was shown again after its end"),
            // Where neither the disk nor the network has heard of the decision, it was never made.
            Some(_) if witness.has_decided || prompt.is_sent => Some("a request was shown again after its decision"),
            Some(life) if !witness.resumed && (witness.has_shown || life.0 == witness.life.0) => {
                Some("a request was shown anew twice")
            }
            Some(_) => None,
        };
        prompt.is_over = false;
        broken
    }

    pub(super) fn was_shown(&self, device: DeviceId, id: RequestId) -> bool {
        self.0.contains_key(&(device, id))
    }

    /// Whether an answer has left a device.
    pub(super) fn is_sent(&self, device: DeviceId, id: RequestId) -> bool {
        self.0.get(&(device, id)).is_some_and(|prompt| prompt.is_sent)
    }

    /// Takes note that an answer leaves a device; whether it has done so before.
    pub(super) fn sent(&mut self, device: DeviceId, id: RequestId) -> bool {
        std::mem::replace(&mut self.0.entry((device, id)).or_default().is_sent, true)
    }

    /// Takes note of an end told to the owner; the promise it breaks, if it does.
    pub(super) fn ended(
        &mut self,
        device: DeviceId,
        id: RequestId,
        life: (u64, u64),
        is_own_doing: bool,
    ) -> Option<&'static str> {
        let prompt = self.0.entry((device, id)).or_default();
        let before = prompt.ended_in.replace(life.0);
        let again = before == Some(life.0) && prompt.is_over;
        prompt.is_over |= !is_own_doing;
        again.then_some("a wallet was told an end twice")
    }
}

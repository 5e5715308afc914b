//! How the rest of the server reaches a connection's task: a bounded queue that never blocks its sender.

use crate::session::Close;
use tokio::sync::mpsc;

/// Room beside that for requests and their withdrawals: a goodbye, a close, and some of each to spare.
const SPARE: usize = 16;

/// No mailbox holds more, whatever the configuration says.
const MOST: usize = 64 * 1024;

/// Something for a connection's task to do.
#[derive(Debug)]
pub(crate) enum Mail {
    /// Send this frame.
    Text(String),
    /// Send this and close.
    Close(Box<Close>),
}

/// The sending side, kept by the registry. When the registry lets go of it, the connection ends.
#[derive(Debug, Clone)]
pub(crate) struct Mailbox(mpsc::Sender<Mail>);

impl Mailbox {
    /// A mailbox for a connection that may have `max_inflight` requests open: all of them may come at once, and each may have
    /// to be withdrawn before the connection's task has sent any. Memory is used by mail alone, not by room for it.
    pub(crate) fn new(max_inflight: usize) -> (Self, mpsc::Receiver<Mail>) {
        let (sender, receiver) = mpsc::channel(max_inflight.saturating_mul(2).saturating_add(SPARE).min(MOST));
        (Self(sender), receiver)
    }

    /// Leaves a request; false if the connection is gone or has let so much pile up that the withdrawals of this request and
    /// of the `inflight` ones before might find no room.
    pub(crate) fn post_request(&self, text: String, inflight: usize) -> bool {
        self.0.capacity() > inflight.saturating_add(SPARE) && self.post(Mail::Text(text))
    }

    /// Leaves any other mail, for which there is always room; false if the connection is gone.
    pub(crate) fn post(&self, mail: Mail) -> bool {
        self.0.try_send(mail).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_taken_in_leaves_room_for_its_withdrawal() {
        for max_inflight in [1, 64, 1000] {
            let (mailbox, _receiver) = Mailbox::new(max_inflight);
            let mut inflight = 0;
            while inflight < max_inflight && mailbox.post_request("sign_request".into(), inflight) {
                inflight += 1;
            }
            assert_eq!(inflight, max_inflight, "as many as may be open come in at once");
            assert!((0..inflight).all(|_| mailbox.post(Mail::Text("request_cancel".into()))));
            assert!(mailbox.post(Mail::Text("goodbye".into())), "and a word is left for the end");
            assert!(!mailbox.post_request("sign_request".into(), 0), "what piles up is refused");
        }
    }

    #[test]
    fn any_setting_makes_a_mailbox() {
        let (mailbox, _receiver) = Mailbox::new(usize::MAX);
        assert!(mailbox.post_request("sign_request".into(), 0));
    }
}

//! How the rest of the server reaches a connection's task: a bounded queue that never blocks its sender.
//!
//! Not a channel of the runtime's, because those set aside room for dozens of messages at once, and a wallet that is idle, as
//! most are, should cost next to nothing.

use crate::{dispatch::SignFrame, session::Close};
use std::{
    collections::VecDeque,
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

/// Room beside that for requests and their withdrawals: a goodbye, a close, and some of each to spare.
const SPARE: usize = 16;

/// No mailbox holds more, whatever the configuration says.
const MOST: usize = 64 * 1024;

/// An empty queue with more room than this gives it back.
const MAX_IDLE_CAPACITY: usize = 8;

/// Something for a connection's task to do.
#[derive(Debug)]
pub enum Mail {
    /// Put this request to the wallet.
    Request(Arc<SignFrame>),
    /// Send this frame.
    Text(String),
    /// Send this and close.
    Close(Box<Close>),
}

#[derive(Debug)]
struct Queue {
    mail: VecDeque<Mail>,
    capacity: usize,
    /// Both ends are there.
    open: bool,
    receiver: Option<Waker>,
}

#[derive(Debug)]
struct Shared(Mutex<Queue>);

impl Shared {
    /// A queue is consistent between any two statements, so a panic elsewhere is no reason to lose its mail.
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        let waker = {
            let mut queue = self.queue();
            queue.open = false;
            queue.receiver.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// The sending side, kept by the registry. When the registry lets go of it, the connection ends.
#[derive(Debug)]
pub(crate) struct Mailbox(Arc<Shared>);

/// The receiving side, kept by the connection's task.
#[derive(Debug)]
pub struct Inbox(Arc<Shared>);

impl Mailbox {
    /// A mailbox for a connection that may have `max_inflight` requests open: all of them may come at once, and each may have
    /// to be withdrawn before the connection's task has sent any. Memory is used by mail alone, not by room for it.
    pub(crate) fn new(max_inflight: usize) -> (Self, Inbox) {
        let capacity = max_inflight.saturating_mul(2).saturating_add(SPARE).min(MOST);
        let queue = Queue { mail: VecDeque::new(), capacity, open: true, receiver: None };
        let shared = Arc::new(Shared(Mutex::new(queue)));
        (Self(Arc::clone(&shared)), Inbox(shared))
    }

    /// Leaves a request; false if the connection is gone or has let so much pile up that the withdrawals of this request and
    /// of the `inflight` ones before might find no room.
    pub(crate) fn post_request(&self, frame: Arc<SignFrame>, inflight: usize) -> bool {
        self.post_leaving(Mail::Request(frame), inflight.saturating_add(SPARE))
    }

    /// Leaves any other mail, for which there is always room; false if the connection is gone.
    pub(crate) fn post(&self, mail: Mail) -> bool {
        self.post_leaving(mail, 0)
    }

    /// Leaves a reply before all that waits: the place it gives free on the wallet may have been filled already. False if the connection
    /// is gone.
    pub(crate) fn post_reply(&self, mail: Mail) -> bool {
        self.put(0, |queue| queue.push_front(mail))
    }

    fn post_leaving(&self, mail: Mail, room: usize) -> bool {
        self.put(room, |queue| queue.push_back(mail))
    }

    fn put(&self, room: usize, put: impl FnOnce(&mut VecDeque<Mail>)) -> bool {
        let waker = {
            let mut queue = self.0.queue();
            if !queue.open || queue.capacity - queue.mail.len() <= room {
                return false;
            }
            put(&mut queue.mail);
            queue.receiver.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Inbox {
    /// The next mail; `None` when there is none and the registry has let go.
    ///
    /// # Cancel safety
    /// No mail is lost when the future is dropped.
    pub(crate) fn recv(&mut self) -> impl Future<Output = Option<Mail>> {
        poll_fn(|cx| self.poll_recv(cx))
    }

    /// The next mail, if there is any: `Ready(None)` when the registry has let go, too.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Mail>> {
        let mut queue = self.0.queue();
        if let Some(mail) = queue.mail.pop_front() {
            return Poll::Ready(Some(mail));
        }
        if !queue.open {
            return Poll::Ready(None);
        }
        if queue.mail.capacity() > MAX_IDLE_CAPACITY {
            queue.mail = VecDeque::new();
        }
        if !queue.receiver.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            queue.receiver = Some(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.0.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dispatch::testing::sign_frame;

    #[test]
    fn every_request_taken_in_leaves_room_for_its_withdrawal() {
        for max_inflight in [1, 64, 1000] {
            let (mailbox, _inbox) = Mailbox::new(max_inflight);
            let mut inflight = 0;
            while inflight < max_inflight && mailbox.post_request(sign_frame(1), inflight) {
                inflight += 1;
            }
            assert_eq!(inflight, max_inflight, "as many as may be open come in at once");
            assert!((0..inflight).all(|_| mailbox.post(Mail::Text("request_cancel".into()))));
            assert!(mailbox.post(Mail::Text("goodbye".into())), "and a word is left for the end");
            assert!(!mailbox.post_request(sign_frame(1), 0), "what piles up is refused");
        }
    }

    #[tokio::test]
    async fn mail_comes_in_order_and_ends_with_its_sender() {
        let (mailbox, mut inbox) = Mailbox::new(4);
        let reader = tokio::spawn(async move {
            let mut read = Vec::new();
            while let Some(Mail::Text(text)) = inbox.recv().await {
                read.push(text);
            }
            read
        });
        for text in ["a", "b", "c"] {
            tokio::task::yield_now().await;
            assert!(mailbox.post(Mail::Text(text.into())));
        }
        drop(mailbox);
        assert_eq!(reader.await.unwrap(), ["a", "b", "c"]);

        let (mailbox, inbox) = Mailbox::new(4);
        drop(inbox);
        assert!(!mailbox.post(Mail::Text("nobody reads this".into())));
    }

    #[test]
    fn any_setting_makes_a_mailbox() {
        let (mailbox, _inbox) = Mailbox::new(usize::MAX);
        assert!(mailbox.post_request(sign_frame(1), 0));
    }
}

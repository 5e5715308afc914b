//! How the rest of the server reaches a connection's task: a bounded queue that never blocks its sender.

use crate::session::Close;
use tokio::sync::mpsc;

/// The most frames that wait for one connection. A wallet that lets more pile up is disconnected.
const CAPACITY: usize = 128;

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
    pub(crate) fn new() -> (Self, mpsc::Receiver<Mail>) {
        let (sender, receiver) = mpsc::channel(CAPACITY);
        (Self(sender), receiver)
    }

    /// Leaves mail; false if the box is full or its connection gone.
    pub(crate) fn post(&self, mail: Mail) -> bool {
        self.0.try_send(mail).is_ok()
    }
}

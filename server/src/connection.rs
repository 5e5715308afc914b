//! Drives one wallet connection over any stream and sink of text frames, on the caller's task and without `Send`.

use crate::{
    SigningService,
    limits::FrameRate,
    mailbox::Mail,
    random,
    registry::Refused,
    service::{Connected, ConnectionGuard},
    session::{Action, Close, Introduced, Session, close},
};
use countersign_protocol::{
    AckOutcome, Challenge, ConnectionId, ErrorCode, ErrorFrame, GoodbyeReason, Origin, PublicKey, RequestId,
    ResponseAck, ServerFrame,
};
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use std::{
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until, timeout},
};

/// How long a peer has to answer a close frame.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// What comes from the socket.
#[derive(Debug)]
pub enum Incoming<T> {
    /// A text frame.
    Text(T),
    /// A binary frame; its content does not matter.
    Binary,
    /// A WebSocket ping or pong. The library that owns the socket answers pings.
    Control,
    /// A frame longer than the socket's limit. Nothing more is read.
    TooLarge,
    /// A close frame.
    Close,
}

/// What goes to the socket.
#[derive(Debug, PartialEq, Eq)]
pub enum Outgoing {
    /// A text frame.
    Text(String),
    /// A WebSocket ping without payload.
    Ping,
    /// A close frame.
    Close {
        /// RFC 6455 §7.4.
        code: u16,
        /// A short stable word, never longer than the 123 bytes a close frame has room for.
        reason: &'static str,
    },
}

/// A socket whose library gives its two halves apart, put together for [`drive`].
#[derive(Debug)]
pub struct Halves<I, O> {
    /// What comes in.
    pub incoming: I,
    /// Where it goes out.
    pub outgoing: O,
}

impl<I: Stream + Unpin, O: Unpin> Stream for Halves<I, O> {
    type Item = I::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.incoming.poll_next_unpin(cx)
    }
}

impl<I: Unpin, O: Sink<Outgoing> + Unpin> Sink<Outgoing> for Halves<I, O> {
    type Error = O::Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), O::Error>> {
        self.outgoing.poll_ready_unpin(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, outgoing: Outgoing) -> Result<(), O::Error> {
        self.outgoing.start_send_unpin(outgoing)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), O::Error>> {
        self.outgoing.poll_flush_unpin(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), O::Error>> {
        self.outgoing.poll_close_unpin(cx)
    }
}

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The wallet closed it or hung up.
    Peer,
    /// The server closed it, for this reason.
    Closed(&'static str),
    /// A write failed or took too long, or the wallet let too much mail pile up.
    Stuck,
    /// The server was about to stop and took no more connections.
    Draining,
}

/// Serves one wallet until its connection ends. Spawns nothing; dropping the future ends the connection's requests.
///
/// `origin` is the handshake's `Origin` header, empty where there was none. The socket should refuse frames longer than
/// [`limits::frame_bytes`](countersign_protocol::limits::frame_bytes) of the configured message size, before it buffers them.
pub async fn drive<S, T, E>(service: &SigningService, socket: S, origin: Origin) -> Exit
where
    S: Stream<Item = Result<Incoming<T>, E>> + Sink<Outgoing>,
    T: AsRef<str>,
{
    let mut socket = pin!(socket);
    let id = ConnectionId::from_random_bytes(random::bytes());
    let challenge = Challenge::from(random::bytes());
    let now = Instant::now().into_std();
    let Some(Connected { guard, mailbox, session, challenge }) = service.connect(origin, challenge, id, now) else {
        return refuse_while_draining(service, socket).await;
    };
    let frames = FrameRate::new(service.config().frames_per_second);
    let mut connection = Connection { service, socket: socket.as_mut(), guard, session, key: None, frames };
    let exit = connection.run(mailbox, challenge).await;
    tracing::debug!(connection = %id, ?exit, "wallet disconnected");
    exit
}

struct Connection<'a, S> {
    service: &'a SigningService,
    socket: S,
    guard: ConnectionGuard,
    session: Session,
    key: Option<Arc<PublicKey>>,
    frames: FrameRate,
}

/// A step of the loop either goes on or has reached the end.
type Step = Result<(), Exit>;

impl<S, T, E> Connection<'_, S>
where
    S: Stream<Item = Result<Incoming<T>, E>> + Sink<Outgoing> + Unpin,
    T: AsRef<str>,
{
    async fn run(&mut self, mut mailbox: mpsc::Receiver<Mail>, challenge: ServerFrame) -> Exit {
        let step = self.send(&challenge).await;
        let exit = match step {
            Ok(()) => self.serve(&mut mailbox).await,
            Err(exit) => exit,
        };
        if let Exit::Closed(_) = exit {
            self.await_close().await;
        }
        exit
    }

    async fn serve(&mut self, mailbox: &mut mpsc::Receiver<Mail>) -> Exit {
        // One timer, armed anew when it fires: a frame moves the deadline, but that costs no timer operation.
        let mut timer = pin!(sleep_until(self.session.poll_timeout().into()));
        loop {
            // The timer goes first, so that a peer which never lets the socket run dry cannot starve it.
            let step = tokio::select! {
                biased;
                () = &mut timer => {
                    let action = self.session.handle_timeout(Instant::now().into_std());
                    self.act(action).await
                }
                mail = mailbox.recv() => self.deliver(mail).await,
                incoming = self.socket.next() => self.take(incoming).await,
            };
            if let Err(exit) = step {
                return exit;
            }
            // An introduction may bring the deadline forward.
            let due = self.session.poll_timeout().into();
            if timer.is_elapsed() || due < timer.deadline() {
                timer.as_mut().reset(due);
            }
        }
    }

    async fn deliver(&mut self, mail: Option<Mail>) -> Step {
        match mail {
            Some(Mail::Text(text)) => self.write(text).await,
            Some(Mail::Close(close)) => self.close(*close).await,
            // It let its mail pile up, and reads the rest of it now. No goodbye has a word for that: as after any other break,
            // the wallet comes back.
            None => Err(Exit::Stuck),
        }
    }

    async fn take(&mut self, incoming: Option<Result<Incoming<T>, E>>) -> Step {
        let Some(Ok(incoming)) = incoming else { return Err(Exit::Peer) };
        let now = Instant::now().into_std();
        if !self.frames.allows() {
            self.service.metrics().rate_limited("connection");
            let action = self.session.handle_rate_limited(now);
            return self.act(action).await;
        }
        let action = match incoming {
            Incoming::Text(text) => {
                self.service.metrics().received.inc_by(text.as_ref().len() as u64);
                self.session.handle_text(text.as_ref(), now)
            }
            Incoming::Binary => self.session.handle_binary(),
            Incoming::Control => {
                self.session.handle_activity(now);
                Action::Nothing
            }
            Incoming::TooLarge => self.session.handle_too_large(),
            // The socket's library answers it, and then ends the stream.
            Incoming::Close => Action::Nothing,
        };
        self.act(action).await
    }

    async fn act(&mut self, action: Action) -> Step {
        match (action, self.key.clone()) {
            (Action::Nothing, _) => Ok(()),
            (Action::Send(frame), _) => self.send(&frame).await,
            (Action::Ping, _) => self.put(Outgoing::Ping).await,
            (Action::Close(close), _) => self.close(close).await,
            (Action::Introduced(introduced), _) => self.introduce(introduced).await,
            (Action::Status(status), _) => {
                self.service.handle_status(self.guard.id, status);
                Ok(())
            }
            (Action::Answer(response), Some(key)) => {
                let request_id = response.request_id;
                let outcome = self.service.handle_answer(self.guard.id, &key, response);
                self.acknowledge(request_id, outcome).await
            }
            (Action::Reject(reject), Some(key)) => {
                let request_id = reject.request_id;
                let outcome = self.service.handle_reject(self.guard.id, &key, reject);
                self.acknowledge(request_id, outcome).await
            }
            // The session lets no answer through before an introduction, and that sets the key.
            (Action::Answer(_) | Action::Reject(_), None) => Ok(()),
        }
    }

    async fn introduce(&mut self, introduced: Introduced) -> Step {
        let fingerprint = introduced.key.to_bytes().fingerprint();
        match self.service.introduce(self.guard.id, &introduced) {
            Ok(welcome) => {
                tracing::debug!(connection = %self.guard.id, key = fingerprint, proven = introduced.proven, "wallet introduced");
                self.key = Some(introduced.key);
                self.send(&ServerFrame::Welcome(welcome)).await
            }
            Err(Refused::Unproven) => {
                let message = "a connection that has proven this key is here".into();
                let frame =
                    ServerFrame::Error(ErrorFrame { code: ErrorCode::ProofRequired, message, request_id: None });
                self.close(Close { frame, code: close::POLICY }).await
            }
            Err(Refused::TooMany | Refused::NotAStranger) => {
                let close = self.session.handle_too_many_connections();
                self.close(close).await
            }
        }
    }

    async fn acknowledge(&mut self, request_id: RequestId, outcome: AckOutcome) -> Step {
        self.service.metrics().answered(outcome.as_str());
        self.send(&ServerFrame::ResponseAck(ResponseAck { request_id, outcome })).await
    }

    async fn close(&mut self, close: Close) -> Step {
        self.service.retire(self.guard.id);
        self.send(&close.frame).await?;
        let reason = close.reason();
        self.put(Outgoing::Close { code: close.code, reason }).await?;
        Err(Exit::Closed(reason))
    }

    async fn send(&mut self, frame: &ServerFrame) -> Step {
        if let ServerFrame::Error(error) = frame {
            self.service.metrics().protocol_error(error.code.as_str());
            if error.code == ErrorCode::ProofInvalid {
                self.service.metrics().proof_failures.inc();
            }
        }
        self.write(frame.to_json()).await
    }

    async fn write(&mut self, text: String) -> Step {
        self.service.metrics().sent.inc_by(text.len() as u64);
        self.put(Outgoing::Text(text)).await
    }

    async fn put(&mut self, outgoing: Outgoing) -> Step {
        match timeout(self.service.config().write_timeout, self.socket.send(outgoing)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Exit::Stuck),
        }
    }

    /// Reads on until the peer's close frame, so that the last frames are not lost to a reset.
    async fn await_close(&mut self) {
        let drained = async {
            while let Some(Ok(Incoming::Text(_) | Incoming::Binary | Incoming::Control)) = self.socket.next().await {}
        };
        // However it ends, the socket is dropped next.
        let _ = timeout(CLOSE_TIMEOUT, drained).await;
    }
}

async fn refuse_while_draining<S, T, E>(service: &SigningService, mut socket: S) -> Exit
where
    S: Stream<Item = Result<Incoming<T>, E>> + Sink<Outgoing> + Unpin,
{
    let goodbye = Close::goodbye(GoodbyeReason::Shutdown, service.config().reconnect_after, close::SERVICE_RESTART);
    let farewell = async {
        // The peer may be gone; then there is nobody left to tell.
        let _ = socket.send(Outgoing::Text(goodbye.frame.to_json())).await;
        let _ = socket.send(Outgoing::Close { code: goodbye.code, reason: goodbye.reason() }).await;
        while let Some(Ok(Incoming::Text(_) | Incoming::Binary | Incoming::Control)) = socket.next().await {}
    };
    let _ = timeout(CLOSE_TIMEOUT, farewell).await;
    Exit::Draining
}

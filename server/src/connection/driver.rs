//! Reads and writes one connection's socket, on time.
//!
//! What is said is decided in `Conversation`; here it is only read and written. The futures are kept small on purpose: there is
//! one for every wallet, and most of its life a wallet is idle.

use super::{
    client::Client,
    conversation::{Conversation, NewConnection, Todo, turned_away},
    delayed_ack::DelayedAck,
    read_limit::ReadLimit,
    socket::{Exit, Incoming, Outgoing},
    yield_once::yield_once,
};
use crate::{SigningService, random, service::Inbox};
use countersign_protocol::{Challenge, ConnectionId};
use futures_util::{FutureExt, Sink, SinkExt, Stream, StreamExt};
use std::{pin::pin, time::Duration};
use tokio::time::{Instant, sleep_until, timeout};

/// How long a peer has to answer a close frame.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Serves one wallet until its connection ends. Spawns nothing; dropping the future ends the connection, and its requests wait for
/// the wallet to come back.
///
/// `client` is the handshake's `Origin` header, empty where there was none, or a [`Client`] with its address too. The socket should refuse frames longer than
/// [`limits::frame_bytes`](countersign_protocol::limits::frame_bytes) of the configured message size, before it buffers them.
/// It is read and written in place, hence `Unpin`: `Box::pin` one that is not.
pub fn drive<S, T, E>(service: &SigningService, socket: S, client: impl Into<Client>) -> impl Future<Output = Exit>
where
    S: Stream<Item = Result<Incoming<T>, E>> + Sink<Outgoing> + Unpin,
    T: AsRef<str>,
{
    drive_within(service, socket, client.into(), None)
}

/// Likewise, and lifts the limit of what the socket reads once the wallet has introduced itself.
#[allow(clippy::manual_async_fn)] // an async fn keeps each argument twice, and the socket is the larger part of the future
pub(crate) fn drive_within<S, T, E>(
    service: &SigningService,
    mut socket: S,
    client: Client,
    mut limit: Option<ReadLimit>,
) -> impl Future<Output = Exit>
where
    S: Stream<Item = Result<Incoming<T>, E>> + Sink<Outgoing> + Unpin,
    T: AsRef<str>,
{
    async move {
        let new = NewConnection {
            id: ConnectionId::from_random_bytes(random::bytes()),
            challenge: Challenge::from(random::bytes()),
            client,
            now: Instant::now().into_std(),
        };
        let Some((mut conversation, mut inbox, challenge)) = Conversation::begin(service, new) else {
            return turn_away(&mut socket, turned_away(service)).await;
        };
        let exit = converse(&mut socket, &mut conversation, &mut inbox, challenge, &mut limit).await;
        conversation.end(exit);
        exit
    }
}

async fn turn_away<S, T, E>(socket: &mut S, goodbye: Todo) -> Exit
where
    S: Stream<Item = Result<Incoming<T>, E>> + Sink<Outgoing> + Unpin,
{
    match perform(socket, goodbye, &mut DelayedAck::default(), CLOSE_TIMEOUT).await {
        Err(Exit::Closed(_)) | Ok(()) => {
            await_close(socket).await;
            Exit::Draining
        }
        Err(exit) => exit,
    }
}

/// A step of the loop either goes on or has reached the end.
type Step = Result<(), Exit>;

async fn converse<S, T, E>(
    socket: &mut S,
    conversation: &mut Conversation<'_>,
    inbox: &mut Inbox,
    challenge: Todo,
    limit: &mut Option<ReadLimit>,
) -> Exit
where
    S: Stream<Item = Result<Incoming<T>, E>> + Sink<Outgoing> + Unpin,
    T: AsRef<str>,
{
    // One timer, armed anew when it fires: a frame moves the deadline, but that costs no timer operation.
    let mut timer = pin!(sleep_until(conversation.poll_timeout().into()));
    let mut delayed_ack = DelayedAck::default();
    let mut todo = challenge;
    let mut is_overdue = false;
    loop {
        let ready = judged(conversation, todo).await;
        if let Err(exit) = perform(socket, ready, &mut delayed_ack, conversation.write_timeout()).await {
            if let Exit::Closed(_) = exit {
                await_close(socket).await;
            }
            return exit;
        }
        if let Some(limit) = limit.take_if(|_| conversation.is_introduced()) {
            limit.lift();
        }
        // An introduction may bring the deadline forward, and so does an acknowledgement that waits.
        let due = Instant::from(conversation.poll_timeout());
        let due = delayed_ack.deadline().map_or(due, |deadline| due.min(deadline));
        if timer.is_elapsed() || due < timer.deadline() {
            timer.as_mut().reset(due);
        }
        let was_overdue = std::mem::take(&mut is_overdue);
        // The timer goes first, so that a peer which never lets the socket run dry cannot starve it.
        todo = tokio::select! {
            biased;
            () = &mut timer => if delayed_ack.is_over(Instant::now()) {
                in_time(conversation.write_timeout(), socket.flush()).await.map_or_else(Todo::End, |()| Todo::Nothing)
            } else {
                // What comes too fast stays in the socket, so that the peer is slowed down and loses nothing.
                let is_paused = conversation.is_paused();
                // A process that was stopped for a while finds the timer over and the peer's frames in the socket. Silence is judged after
                // what has arrived; but by one frame only, so that no stream of them puts the judgement off.
                is_overdue = !was_overdue && !is_paused;
                let arrived = if was_overdue || is_paused { None } else { socket.next().now_or_never() };
                match arrived {
                    Some(incoming) => conversation.handle_stream(incoming, Instant::now().into_std()),
                    None => conversation.handle_timeout(Instant::now().into_std()),
                }
            },
            mail = inbox.recv() => conversation.handle_mail(mail),
            incoming = socket.next(), if !conversation.is_paused() => conversation.handle_stream(incoming, Instant::now().into_std()),
        };
    }
}

/// What there is to do once an answer is judged, if there was one. Apart, so that this takes no room in what an idle connection waits in.
async fn judged(conversation: &mut Conversation<'_>, todo: Todo) -> Todo {
    match todo {
        Todo::Judge(judgement) => {
            // So that other answers which have arrived come as far as this one, and all are judged together.
            yield_once().await;
            conversation.conclude(*judgement)
        }
        todo => todo,
    }
}

async fn perform<S: Sink<Outgoing> + Unpin>(
    socket: &mut S,
    todo: Todo,
    delayed_ack: &mut DelayedAck,
    time_limit: Duration,
) -> Step {
    let Frames { first, close, acknowledges } = match frames(todo) {
        Ok(frames) => frames,
        Err(step) => return step,
    };
    if !acknowledges {
        delayed_ack.send(Instant::now());
    } else if delayed_ack.acknowledge(Instant::now()) {
        return in_time(time_limit, socket.feed(first)).await;
    }
    // Lets whatever else is ready run before the write: verifications come first, then the writes of all connections, one after
    // the other. A reader on another core is then woken once for many of them; each wake-up costs as much as a third of a
    // verification.
    yield_once().await;
    in_time(time_limit, socket.send(first)).await?;
    let Some((code, reason)) = close else { return Ok(()) };
    in_time(time_limit, socket.send(Outgoing::Close { code, reason })).await?;
    Err(Exit::Closed(reason))
}

/// What is to be sent.
struct Frames {
    first: Outgoing,
    /// The code and reason of the close frame that follows.
    close: Option<(u16, &'static str)>,
    /// It is an acknowledgement.
    acknowledges: bool,
}

/// The frames there are to send, or the step it is without any.
fn frames(todo: Todo) -> Result<Frames, Step> {
    let (first, close, acknowledges) = match todo {
        // What is to be judged has been, when it comes to writing.
        Todo::Nothing | Todo::Judge(_) => return Err(Ok(())),
        Todo::End(exit) => return Err(Err(exit)),
        Todo::Ping => (Outgoing::Ping, None, false),
        Todo::Text(text) => (Outgoing::Text(text), None, false),
        Todo::Acknowledge(text) => (Outgoing::Text(text), None, true),
        Todo::Close { text, code, reason } => (Outgoing::Text(text), Some((code, reason)), false),
    };
    Ok(Frames { first, close, acknowledges })
}

/// Not an `async fn`, which would keep its argument twice.
fn in_time<E>(time_limit: Duration, written: impl Future<Output = Result<(), E>>) -> impl Future<Output = Step> {
    timeout(time_limit, written).map(|written| match written {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(Exit::Stuck),
    })
}

/// Reads on until the peer's close frame, so that the last frames are not lost to a reset.
async fn await_close<S, T, E>(socket: &mut S)
where
    S: Stream<Item = Result<Incoming<T>, E>> + Unpin,
{
    let drained =
        async { while let Some(Ok(Incoming::Text(_) | Incoming::Binary | Incoming::Control)) = socket.next().await {} };
    // However it ends, the socket is dropped next.
    let _ = timeout(CLOSE_TIMEOUT, drained).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, connection::Halves};
    use countersign_protocol::Origin;
    use futures_util::{sink, stream};

    /// What is waited for most of the time is this future, once for every wallet.
    #[test]
    fn an_idle_connection_takes_little_beside_its_socket() {
        let service = SigningService::new(Config::new(vec!["wss://sign.example/ws".parse().unwrap()]));
        let incoming = stream::pending::<Result<Incoming<&str>, ()>>();
        let outgoing = sink::unfold((), |(), _: Outgoing| std::future::ready(Ok::<_, ()>(())));
        let socket = Halves { incoming, outgoing };
        let socket_bytes = size_of_val(&socket);
        let bytes = size_of_val(&drive(&service, socket, Origin::default())) - socket_bytes;
        assert!(bytes <= 1_000, "{bytes} bytes");
    }
}

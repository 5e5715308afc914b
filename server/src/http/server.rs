//! The accept loop: every connection gets a permit, a deadline for each thing it has to say, and an end.

use super::{
    admin,
    api::{App, Live, Noted, Problem, READING, call_id, check_head, name_call},
    config::HttpConfig,
    listen::{LentBody, LimitReached, LingeringClose, MaybeTlsStream, Peer, WriteTimeout, client, is_trusted, lend},
    ops::{Watch, harden, name_node, start},
    reload::{Reloader, keep_tokens},
    routes::{has_stray_slash, post, posts, routes},
};
use crate::{SigningService, audit::AuditLog};
use hyper::{
    HeaderMap, Method, Request, StatusCode,
    body::Incoming,
    header::{self, HeaderValue},
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use socket2::{SockRef, TcpKeepalive};
use std::{
    convert::Infallible,
    future::{Future, pending},
    io,
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc, watch},
    task::spawn_blocking,
    time::{sleep, timeout},
};
use warp::{Reply, filters::BoxedFilter, reply::Response};

/// The longest request head, in bytes.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// The most header lines of a request.
const MAX_HEADERS: usize = 64;

/// How long a peer may take nothing of an answer. Generous: where much is on its way, a slow network frees room in steps.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);

/// A silent peer is asked for a sign of life after a minute, and given up after some more without one.
const KEEPALIVE: TcpKeepalive =
    TcpKeepalive::new().with_time(Duration::from_secs(60)).with_interval(Duration::from_secs(10)).with_retries(3);

/// Connections beyond `max_connections` that may ask how the server is, and for how long each.
const PROBES: usize = 32;
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// What machines ask.
const PROBE_PATHS: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// How long to wait after the system could give no socket, for instance because no file descriptor was left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long connections have to end on their own after the last request has.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// How long the last entries of the audit log have to be written.
const AUDIT_GRACE: Duration = Duration::from_secs(5);

/// How long the last spans have to be exported.
const TRACES_GRACE: Duration = Duration::from_secs(2);

/// How long a short body that is refused unread has to come nevertheless, so that the connection can be kept.
const SHORT_BODY_TIMEOUT: Duration = Duration::from_millis(100);

/// How long connections without a request have before they are closed, so that what a client has just sent is answered.
const LAST_CALL: Duration = Duration::from_secs(1);

/// For how long a client that is told of a close may say nothing and not close either. With the time before within [`CLOSE_TIMEOUT`].
const LINGER: Duration = Duration::from_secs(1);

/// What the connections share.
struct Shared {
    config: HttpConfig,
    filter: BoxedFilter<(Response,)>,
    app: Arc<App>,
    /// Places for probes where there is no other.
    probes: Arc<Semaphore>,
    service: SigningService,
    /// Whether each answer is the last one on its connection.
    draining: AtomicBool,
    /// Changes when HTTP connections are to end after the request at hand.
    stop: watch::Receiver<()>,
}

/// The accept loop.
struct Accepting {
    shared: Arc<Shared>,
    /// None once nothing more is accepted. Each connection holds a clone of the sender; when the last is gone, so are they all.
    listener: Option<(TcpListener, mpsc::Sender<Infallible>)>,
    watch: Watch,
}

impl Accepting {
    /// Accepts until `end` resolves, and reports to the service manager.
    async fn until<T>(&mut self, end: impl Future<Output = T>) -> T {
        let mut end = pin!(end);
        loop {
            tokio::select! {
                biased;
                ended = &mut end => return ended,
                () = self.watch.due() => self.watch.report(),
                () = Self::accept(&self.shared, self.listener.as_ref()) => {}
            }
        }
    }

    async fn accept(shared: &Arc<Shared>, listener: Option<&(TcpListener, mpsc::Sender<Infallible>)>) {
        let Some((listener, alive)) = listener else { return pending().await };
        match listener.accept().await {
            Ok((stream, address)) => accept(shared, stream, address, alive.clone()),
            Err(error) => {
                tracing::warn!(%error, "no connection could be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Serves until `shutdown` resolves, then stops in good order: `/readyz` turns 503 and new requests are refused, wallets are
/// told, open requests go on for up to `drain_timeout`, and every connection is closed.
pub async fn serve(
    listener: TcpListener,
    service: SigningService,
    config: HttpConfig,
    shutdown: impl Future<Output = ()>,
) {
    serve_reloading(listener, service, config, None, shutdown).await;
}

/// The same, with settings that `reloader` takes anew, where there is one.
pub async fn serve_reloading(
    listener: TcpListener,
    service: SigningService,
    config: HttpConfig,
    reloader: Option<&Reloader>,
    shutdown: impl Future<Output = ()>,
) {
    let (stop, stopped) = watch::channel(());
    let (alive, mut all_gone) = mpsc::channel(1);
    let notifier = config.notifier.clone();
    let app = Arc::new(App::new(service.clone(), &config));
    // Before anybody may ask, or come.
    app.blocks.look().await;
    let mut background = start(&app);
    if let Some(reloader) = reloader {
        reloader.serve(&app);
        if let Some(keeping) = keep_tokens(reloader, &app) {
            background.spawn(keeping);
        }
    }
    if let Some(audit) = &app.audit {
        audit.serving(service.node().map(|node| node.to_string()));
    }
    admin::start(&app, &config, reloader, &mut background);
    let shared = Arc::new(Shared {
        filter: routes(&app, &config),
        app: Arc::clone(&app),
        probes: Arc::new(Semaphore::new(PROBES)),
        service: service.clone(),
        draining: AtomicBool::new(false),
        stop: stopped,
        config,
    });
    let mut accepting = Accepting {
        shared: Arc::clone(&shared),
        listener: Some((listener, alive)),
        watch: Watch::new(notifier.clone(), Arc::clone(&app)),
    };
    notifier.ready().await;
    accepting.until(shutdown).await;

    tracing::info!("shutting down: no new requests");
    shared.draining.store(true, Ordering::Relaxed);
    app.draining.send_replace(true);
    if shared.config.listener_is_kept {
        accepting.listener = None;
    }
    let drain_timeout = app.live().drain_timeout;
    let longest = drain_timeout + service.config().write_timeout + CLOSE_TIMEOUT;
    // Whoever is told that it stops finds it no longer ready.
    accepting.until(async { tokio::join!(biased; service.drain(drain_timeout), notifier.stopping(longest)) }).await;
    accepting.listener = None;
    // Every receiver may be gone already, and then nobody needs the word.
    let _ = stop.send(());
    if accepting.until(timeout(CLOSE_TIMEOUT, all_gone.recv())).await.is_err() {
        tracing::warn!("some connections did not close in time");
    }
    background.shutdown().await;
    close(app.audit.clone()).await;
    shared.config.traces.flush(TRACES_GRACE).await;
    tracing::info!("stopped");
}

/// Has the end of the audit log written.
async fn close(audit: Option<AuditLog>) {
    let Some(audit) = audit else { return };
    // Fails only where the runtime ends first.
    if !matches!(spawn_blocking(move || audit.stop(AUDIT_GRACE)).await, Ok(true)) {
        tracing::error!("the end of the audit log could not be written in time");
    }
}

fn accept(shared: &Arc<Shared>, stream: TcpStream, address: SocketAddr, alive: mpsc::Sender<Infallible>) {
    let address = address.ip().to_canonical();
    let live = shared.app.live();
    let proxy = is_trusted(&live.trusted_proxies, address);
    match shared.app.connections.take((!proxy).then_some(address)) {
        Ok(permit) => {
            let peer = Peer::new(address, permit);
            let shared = Arc::clone(shared);
            tokio::spawn(async move {
                if let Some(io) = handshake(&live, stream).await {
                    serve_connection(&shared, &live, io, peer).await;
                }
                drop(alive);
            });
        }
        Err(LimitReached(scope)) => {
            shared.service.metrics().rate_limited(scope);
            match Arc::clone(&shared.probes).try_acquire_owned() {
                Ok(place) => {
                    let shared = Arc::clone(shared);
                    tokio::spawn(async move {
                        // Whoever takes longer is no probe.
                        let _ = timeout(PROBE_TIMEOUT, serve_probe(&shared, stream)).await;
                        drop((place, alive));
                    });
                }
                Err(_) => drop(tokio::spawn(timeout(CLOSE_TIMEOUT, turn_away(stream, live.tls.is_some())))),
            }
        }
    }
}

/// Answers one request of a machine that asks how the server is, and tells anybody else to come back: those who only hold connections
/// must not have the server taken for dead.
async fn serve_probe(shared: &Shared, stream: TcpStream) {
    let Some(io) = handshake(&shared.app.live(), stream).await else { return };
    let service = service_fn(async |mut request: Request<Incoming>| {
        let call_id = call_id(request.headers());
        let mut response = match check_head(&mut request) {
            Err(problem) => problem.into_response(),
            Ok(()) if PROBE_PATHS.contains(&request.uri().path()) => {
                TowerToHyperService::new(warp::service(shared.filter.clone())).call(request).await?
            }
            Ok(()) => Problem::no_connection_left().into_response(),
        };
        name_call(&mut response, &call_id, false);
        complete(shared, &mut response);
        Ok::<_, Infallible>(response)
    });
    let connection = http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(io), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "connection ended");
    }
}

/// Tells a client that came in vain why, where it can be told without a handshake.
async fn turn_away(mut stream: TcpStream, tls: bool) -> io::Result<()> {
    if !tls {
        stream.write_all(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await?;
    }
    stream.shutdown().await
}

async fn handshake(live: &Live, stream: TcpStream) -> Option<MaybeTlsStream> {
    // Frames are small and somebody waits for each.
    stream.set_nodelay(true).ok()?;
    // A host that vanishes without a word would otherwise keep its wallets' prompts open until they expire.
    SockRef::from(&stream).set_tcp_keepalive(&KEEPALIVE).ok()?;
    match &live.tls {
        None => Some(MaybeTlsStream::Plain(stream)),
        Some(tls) => {
            let stream = timeout(live.read_timeout, tls.acceptor().accept(stream)).await.ok()?.ok()?;
            Some(MaybeTlsStream::Tls(Box::new(stream)))
        }
    }
}

async fn serve_connection(shared: &Arc<Shared>, live: &Live, io: MaybeTlsStream, peer: Peer) {
    let has_asked = AtomicBool::new(false);
    let service = service_fn(|request| {
        has_asked.store(true, Ordering::Relaxed);
        answer(shared, &peer, request)
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(live.keep_alive_timeout)
            .max_buf_size(MAX_HEAD_BYTES)
            .max_headers(MAX_HEADERS)
            .serve_connection(TokioIo::new(WriteTimeout::new(LingeringClose::new(io, LINGER), STALL_TIMEOUT)), service)
            .with_upgrades()
    );
    let mut stop = shared.stop.clone();
    let result = tokio::select! {
        result = connection.as_mut() => result,
        // Later heads have as long as no head may have: a client that sends half of one takes no more than one that sends none.
        () = silence(live.read_timeout, &has_asked) => return,
        // It changes once; were the sender gone instead, ending the connection would be right too.
        _ = stop.changed() => tokio::select! {
            biased;
            result = connection.as_mut() => result,
            // At once it would close connections whose request has not been read yet, and reset them.
            () = sleep(LAST_CALL) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        },
    };
    if let Err(error) = result {
        tracing::debug!(%error, "connection ended");
    }
}

/// Resolves if nothing was asked in time, and otherwise never.
async fn silence(time_limit: Duration, has_asked: &AtomicBool) {
    sleep(time_limit).await;
    if has_asked.load(Ordering::Relaxed) {
        pending::<()>().await;
    }
}

async fn answer(shared: &Shared, peer: &Peer, request: Request<Incoming>) -> Result<Response, Infallible> {
    let is_awaited = request.headers().contains_key(header::EXPECT);
    let (head, body) = request.into_parts();
    let (body, unread) = lend(body, is_awaited);
    // Once, so that the call has settings that belong together.
    let live = shared.app.live();
    let read_timeout = live.read_timeout;
    let mut response = route(shared, live, peer, Request::from_parts(head, body)).await?;
    // What is refused for its head alone is told so at once, unless the connection can be kept for as good as nothing.
    let time_limit = match response.status() {
        StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNSUPPORTED_MEDIA_TYPE if unread.is_short() => SHORT_BODY_TIMEOUT,
        StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNSUPPORTED_MEDIA_TYPE => Duration::ZERO,
        _ => read_timeout,
    };
    // Before the answer, where the connection is to be kept. Where it is not, the rest is read after the answer and for nothing.
    if !unread.drain(time_limit).await {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    complete(shared, &mut response);
    Ok(response)
}

/// Adds what every answer has.
fn complete(shared: &Shared, response: &mut Response) {
    harden(response);
    // A client that sends its next request on this connection could meet its end; so it is told to use another one.
    if shared.draining.load(Ordering::Relaxed) && response.status() != StatusCode::SWITCHING_PROTOCOLS {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if let Some(node) = shared.service.node() {
        name_node(response, node, shared.config.demo.is_some());
    }
}

async fn route(
    shared: &Shared,
    live: Arc<Live>,
    peer: &Peer,
    mut request: Request<LentBody>,
) -> Result<Response, Infallible> {
    // warp takes for granted that a path starts with a slash, which CONNECT's authority and OPTIONS' asterisk do not.
    if request.method() == Method::CONNECT || !request.uri().path().starts_with('/') {
        return Ok(refusal(Problem::method_not_allowed(READING, "this is no proxy"), request.headers()));
    }
    if let Err(problem) = check_head(&mut request) {
        return Ok(refusal(problem, request.headers()));
    }
    let client = client(peer.address, request.headers(), &live.trusted_proxies);
    let is_api = request.uri().path().starts_with("/v1/");
    let (noted, span) = Noted::of(&request, peer.on_behalf_of(client), live, &shared.config.traces);
    let call = Arc::clone(&noted.call);
    let mut response = if let Some(asked) = posts(request.method(), request.uri().path()) {
        post(&shared.app, noted, request, asked).await
    } else if has_stray_slash(request.uri().path(), shared.config.demo.is_some()) {
        Problem::slash_at_the_end().into_response()
    } else {
        request.extensions_mut().insert(noted);
        // Apart, so that no call has to have room for this.
        Box::pin(TowerToHyperService::new(warp::service(shared.filter.clone())).call(request)).await?
    };
    span.end(response.status());
    if let Some(call_id) = &call.call_id {
        name_call(&mut response, call_id, is_api);
    }
    Ok(response)
}

/// The answer to a call that gets nowhere.
fn refusal(problem: Problem, headers: &HeaderMap) -> Response {
    let mut response = problem.into_response();
    name_call(&mut response, &call_id(headers), false);
    response
}

//! The accept loop for administrators. Few connections, none for long; it goes on until the server has stopped.

use super::{operator::Origin, routes::route, state::Admin};
use crate::http::{
    api::{App, call_id, check_head, name_call},
    config::HttpConfig,
    listen::{AdminListener, AdminStream, LingeringClose, Tls, WriteTimeout},
    ops::harden,
    reload::Reloader,
};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Semaphore,
    task::JoinSet,
    time::{sleep, timeout},
};
use warp::{Reply, reply::Response};

/// More wait to be accepted until one of these has gone.
const MOST_CONNECTIONS: usize = 64;

const MAX_HEAD_BYTES: usize = 16 * 1024;
const MAX_HEADERS: usize = 64;

/// How long a handshake, each head, and each write may take: whoever administers sends all of it at once.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// As on the public listener.
const LINGER: Duration = Duration::from_secs(1);
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Answers administrators, if there are to be any, until the tasks are ended. Beyond this machine it speaks TLS where the server does.
pub(in crate::http) fn start(
    app: &Arc<App>,
    config: &HttpConfig,
    reloader: Option<&Reloader>,
    tasks: &mut JoinSet<()>,
) {
    let Some(admin) = &config.admin else { return };
    let address = admin.socket.address();
    match admin.socket.take() {
        Ok(listener) => {
            tracing::info!(%address, "administrators may connect");
            let is_remote = !address.is_local();
            if is_remote && config.tls.is_none() {
                tracing::warn!("administrators' tokens come in the clear: there is no --tls-cert");
            }
            tasks.spawn(serve(Admin::new(app, admin, reloader), listener, is_remote));
        }
        // Requests are served all the same.
        Err(error) => tracing::error!(%address, %error, "administrators cannot connect"),
    }
}

async fn serve(admin: Admin, listener: AdminListener, is_remote: bool) {
    let (admin, places) = (Arc::new(admin), Arc::new(Semaphore::new(MOST_CONNECTIONS)));
    let mut connections = JoinSet::new();
    loop {
        // Nobody closes it.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok(stream) => {
                let admin = Arc::clone(&admin);
                // The certificate of the moment.
                let tls = admin.app.live().tls.clone().filter(|_| is_remote);
                connections.spawn(async move {
                    serve_stream(&admin, stream, tls).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "no connection of an administrator could be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve_stream(admin: &Arc<Admin>, stream: AdminStream, tls: Option<Tls>) {
    match (stream, tls) {
        (AdminStream::Unix(stream, user), _) => serve_connection(admin, stream, Origin::User(user)).await,
        (AdminStream::Tcp(stream, address), None) => serve_connection(admin, stream, Origin::Address(address)).await,
        (AdminStream::Tcp(stream, address), Some(tls)) => {
            // Whoever speaks no TLS is not told so in the clear.
            if let Ok(Ok(stream)) = timeout(TIME_LIMIT, tls.acceptor().accept(stream)).await {
                serve_connection(admin, stream, Origin::Address(address)).await;
            }
        }
    }
}

async fn serve_connection(admin: &Arc<Admin>, io: impl AsyncRead + AsyncWrite + Unpin, origin: Origin) {
    let service = service_fn(|request| answer(admin, origin, request));
    let io = WriteTimeout::new(LingeringClose::new(io, LINGER), TIME_LIMIT);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(TIME_LIMIT)
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(io), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "an administrator's connection ended");
    }
}

async fn answer(admin: &Arc<Admin>, origin: Origin, mut request: Request<Incoming>) -> Result<Response, Infallible> {
    let call_id = call_id(request.headers());
    request.extensions_mut().insert(call_id.clone());
    let mut response = match check_head(&mut request) {
        Err(problem) => problem.into_response(),
        Ok(()) => {
            let (head, body) = request.into_parts();
            route(admin, origin, head, body).await
        }
    };
    name_call(&mut response, &call_id, false);
    harden(&mut response);
    Ok(response)
}

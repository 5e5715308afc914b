//! An Actix application that has Countersign built in: no second process, no second port.
//!
//! It holds one [`SigningService`], awaits it in a controller, and hands its wallets' WebSockets to the service.

use actix_web::{HttpRequest, HttpResponse, error, http::StatusCode, web};
use actix_ws::{AggregatedMessage, CloseReason, MessageStream, ProtocolError, Session};
use countersign_protocol::{
    Origin, PublicKey, SUBPROTOCOL,
    limits::{MAX_MESSAGE_BYTES, frame_bytes},
};
use countersign_server::{
    SigningError, SigningService,
    connection::{Halves, Incoming, Outgoing, drive},
};
use futures_util::{Sink, Stream, StreamExt, future::ready, sink};

/// The application's routes.
pub fn routes(config: &mut web::ServiceConfig) {
    config.route("/wallet", web::get().to(wallet)).route("/contracts/{public_key}", web::post().to(contract));
}

/// A controller like any other: it needs a signature, so it asks for one.
async fn contract(
    service: web::Data<SigningService>,
    key: web::Path<String>,
    text: String,
) -> Result<HttpResponse, error::Error> {
    let key = PublicKey::from_any_text(&key).map_err(error::ErrorBadRequest)?;
    match service.send_to_sign(&key, text.as_bytes()).await {
        Ok(signed) => Ok(HttpResponse::Ok().body(signed.signature.to_string())),
        Err(SigningError::Rejected { .. }) => Ok(HttpResponse::Forbidden().body("declined")),
        Err(error) => Err(error::InternalError::new(error, StatusCode::BAD_GATEWAY).into()),
    }
}

/// Takes a wallet's WebSocket and gives it to the service. Actix's streams stay on their thread, and so does the driver.
async fn wallet(
    service: web::Data<SigningService>,
    request: HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, error::Error> {
    let origin: Origin = match request.headers().get("origin").map(|origin| origin.to_str()) {
        None => Origin::default(),
        Some(origin) => origin.map_err(error::ErrorBadRequest)?.parse().map_err(error::ErrorBadRequest)?,
    };
    // A browser gives up on a server that does not choose the subprotocol it was offered.
    let (response, session, stream) = actix_ws::handle_with_protocols(&request, body, &[SUBPROTOCOL])?;
    actix_web::rt::spawn(async move {
        let socket =
            Halves { incoming: Box::pin(incoming(stream, session.clone())), outgoing: Box::pin(outgoing(session)) };
        drive(&service, socket, origin).await;
    });
    Ok(response)
}

/// Actix leaves it to the application to answer pings and to stop reading after a close frame.
fn incoming(
    stream: MessageStream,
    session: Session,
) -> impl Stream<Item = Result<Incoming<bytestring::ByteString>, ProtocolError>> {
    let limit = frame_bytes(MAX_MESSAGE_BYTES);
    stream
        .max_frame_size(limit)
        .aggregate_continuations()
        .max_continuation_size(limit)
        .take_while(|message| ready(!matches!(message, Ok(AggregatedMessage::Close(_)))))
        .then(move |message| {
            let mut session = session.clone();
            async move {
                match message {
                    Ok(AggregatedMessage::Text(text)) => Ok(Incoming::Text(text)),
                    Ok(AggregatedMessage::Binary(_)) => Ok(Incoming::Binary),
                    Ok(AggregatedMessage::Ping(payload)) => {
                        // A session that is closed has nobody left who waits for the pong.
                        let _ = session.pong(&payload).await;
                        Ok(Incoming::Control)
                    }
                    Ok(AggregatedMessage::Pong(_)) => Ok(Incoming::Control),
                    Ok(AggregatedMessage::Close(_)) => Ok(Incoming::Close),
                    Err(ProtocolError::Overflow) => Ok(Incoming::TooLarge),
                    Err(error) => Err(error),
                }
            }
        })
}

fn outgoing(session: Session) -> impl Sink<Outgoing> {
    sink::unfold(session, |mut session, outgoing| async move {
        match outgoing {
            Outgoing::Text(text) => session.text(text).await?,
            Outgoing::Ping => session.ping(b"").await?,
            Outgoing::Close { code, reason } => {
                let reason = CloseReason { code: code.into(), description: Some(reason.into()) };
                session.clone().close(Some(reason)).await?;
            }
        }
        Ok::<_, actix_ws::Closed>(session)
    })
}

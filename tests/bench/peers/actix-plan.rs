//! The original plan as written: actix-web with an actor per WebSocket, `RwLock`ed maps, a oneshot per pending request.
//!
//! No proofs, no limits. It is given every benefit of the doubt: the key is decompressed once, at the introduction, and the
//! lookups hold their locks as briefly as they can.

use actix::{
    Actor, ActorContext as _, Addr, AsyncContext as _, Handler, Message as ActixMessage, StreamHandler, clock::timeout,
};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use actix_web_actors::ws;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, Verifier as _, VerifyingKey};
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    io,
    sync::{PoisonError, RwLock},
    time::Duration,
};
use tokio::sync::oneshot;
use uuid::Uuid;

const TIMEOUT: Duration = Duration::from_secs(60);

/// Who is connected, and what is asked of them.
#[derive(Default)]
struct Hub {
    wallets: RwLock<HashMap<String, Addr<Wallet>>>,
    pending: RwLock<HashMap<Uuid, Pending>>,
}

struct Pending {
    message: String,
    answer: oneshot::Sender<Result<String, &'static str>>,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Frame {
    Introduction { public_key: String },
    SignRequest { request_id: Uuid, message: String },
    SignResponse { request_id: Uuid, message: String, signature: String },
}

#[derive(Deserialize)]
struct Ask {
    public_key: String,
    message: String,
}

#[derive(Serialize)]
struct Answer {
    request_id: Uuid,
    public_key: String,
    message: String,
    signature: String,
}

#[derive(ActixMessage)]
#[rtype(result = "()")]
struct Forward(String);

struct Wallet {
    hub: web::Data<Hub>,
    introduced: Option<(String, VerifyingKey)>,
}

impl Actor for Wallet {
    type Context = ws::WebsocketContext<Self>;

    fn stopped(&mut self, context: &mut Self::Context) {
        let Some((public_key, _)) = &self.introduced else { return };
        let mut wallets = self.hub.wallets.write().unwrap_or_else(PoisonError::into_inner);
        if wallets.get(public_key) == Some(&context.address()) {
            wallets.remove(public_key);
        }
    }
}

impl Handler<Forward> for Wallet {
    type Result = ();

    fn handle(&mut self, Forward(text): Forward, context: &mut Self::Context) {
        context.text(text);
    }
}

impl StreamHandler<Result<ws::Message, ws::ProtocolError>> for Wallet {
    fn handle(&mut self, message: Result<ws::Message, ws::ProtocolError>, context: &mut Self::Context) {
        match message {
            Ok(ws::Message::Text(text)) => match serde_json::from_str(&text) {
                Ok(frame) => self.handle_frame(frame, context),
                Err(_) => context.stop(),
            },
            Ok(ws::Message::Ping(payload)) => context.pong(&payload),
            Ok(ws::Message::Pong(_) | ws::Message::Nop) => {}
            Ok(ws::Message::Binary(_) | ws::Message::Continuation(_) | ws::Message::Close(_)) | Err(_) => {
                context.stop();
            }
        }
    }
}

impl Wallet {
    fn handle_frame(&mut self, frame: Frame, context: &mut ws::WebsocketContext<Self>) {
        match frame {
            Frame::Introduction { public_key } => match verifying_key(&public_key) {
                Some(key) => {
                    let mut wallets = self.hub.wallets.write().unwrap_or_else(PoisonError::into_inner);
                    wallets.insert(public_key.clone(), context.address());
                    self.introduced = Some((public_key, key));
                }
                None => context.stop(),
            },
            Frame::SignResponse { request_id, message, signature } => {
                let pending = self.hub.pending.write().unwrap_or_else(PoisonError::into_inner).remove(&request_id);
                if let (Some(pending), Some((_, key))) = (pending, &self.introduced) {
                    let holds = message == pending.message && holds(key, &message, &signature);
                    // Fails only where the backend has gone.
                    let _ = pending.answer.send(if holds { Ok(signature) } else { Err("invalid signature") });
                }
            }
            Frame::SignRequest { .. } => context.stop(),
        }
    }
}

fn verifying_key(base64: &str) -> Option<VerifyingKey> {
    VerifyingKey::from_bytes(&STANDARD.decode(base64).ok()?.try_into().ok()?).ok()
}

fn holds(key: &VerifyingKey, message: &str, signature: &str) -> bool {
    let (Ok(message), Ok(signature)) = (STANDARD.decode(message), STANDARD.decode(signature)) else { return false };
    Signature::from_slice(&signature).is_ok_and(|signature| key.verify(&message, &signature).is_ok())
}

async fn wallet(hub: web::Data<Hub>, request: HttpRequest, body: web::Payload) -> actix_web::Result<HttpResponse> {
    ws::start(Wallet { hub, introduced: None }, &request, body)
}

async fn send_to_sign(hub: web::Data<Hub>, ask: web::Json<Ask>) -> HttpResponse {
    let Ask { public_key, message } = ask.into_inner();
    let wallet = hub.wallets.read().unwrap_or_else(PoisonError::into_inner).get(&public_key).cloned();
    let Some(wallet) = wallet else { return HttpResponse::NotFound().body("not connected") };
    let request_id = Uuid::new_v4();
    let (sender, answer) = oneshot::channel();
    let pending = Pending { message: message.clone(), answer: sender };
    hub.pending.write().unwrap_or_else(PoisonError::into_inner).insert(request_id, pending);
    let Ok(text) = serde_json::to_string(&Frame::SignRequest { request_id, message: message.clone() }) else {
        return HttpResponse::InternalServerError().body("serialization");
    };
    wallet.do_send(Forward(text));
    match timeout(TIMEOUT, answer).await {
        Ok(Ok(Ok(signature))) => HttpResponse::Ok().json(Answer { request_id, public_key, message, signature }),
        Ok(Ok(Err(problem))) => HttpResponse::BadGateway().body(problem),
        Ok(Err(_)) => HttpResponse::BadGateway().body("channel closed"),
        Err(_) => {
            hub.pending.write().unwrap_or_else(PoisonError::into_inner).remove(&request_id);
            HttpResponse::GatewayTimeout().body("timeout")
        }
    }
}

#[actix_web::main]
async fn main() -> io::Result<()> {
    let hub = web::Data::new(Hub::default());
    let server = HttpServer::new(move || {
        App::new()
            .app_data(hub.clone())
            .route("/ws", web::get().to(wallet))
            .route("/send_to_sign", web::post().to(send_to_sign))
    })
    .bind(("127.0.0.1", 0))?;
    for address in server.addrs() {
        println!("listening on http://{address}");
    }
    server.run().await
}

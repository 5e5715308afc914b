//! A backend: one HTTP/1.1 connection.

use crate::within;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use countersign_protocol::PublicKeyBytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    client::conn::http1::{SendRequest, handshake},
};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::net::SocketAddr;
use tokio::net::TcpStream;

/// A connection to the API.
#[derive(Debug)]
pub struct Backend {
    sender: SendRequest<Full<Bytes>>,
    host: String,
    token: Option<String>,
}

/// What the API answered.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, where it is JSON.
    pub json: Value,
    /// The body as it came.
    pub text: String,
}

impl Reply {
    /// Status and `code`, as tests compare them.
    pub fn code(&self) -> (u16, &str) {
        (self.status.as_u16(), self.json["code"].as_str().unwrap_or_default())
    }
}

impl Backend {
    /// Connects.
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = within("a connection", TcpStream::connect(address)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self { sender, host: address.to_string(), token: None }
    }

    /// Sends this bearer token from now on.
    pub fn with_token(mut self, token: &str) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Sends this Host from now on.
    pub fn with_host(mut self, host: &str) -> Self {
        self.host = host.into();
        self
    }

    /// Asks for a signature over `message`.
    pub async fn ask(&mut self, key: &PublicKeyBytes, message: &[u8]) -> Reply {
        self.post(&json!({ "public_key": key.to_string(), "message": STANDARD.encode(message) })).await
    }

    /// Sends any JSON to `send_to_sign`.
    pub async fn post(&mut self, body: &Value) -> Reply {
        self.post_text("application/json", body.to_string()).await
    }

    /// Sends any body to `send_to_sign`.
    pub async fn post_text(&mut self, content_type: &str, body: impl Into<Bytes>) -> Reply {
        let request = Request::post("/v1/send_to_sign").header("content-type", content_type);
        self.send(request, body.into()).await
    }

    /// Sends any JSON to `send_to_sign`, with more headers.
    pub async fn post_with(&mut self, body: &Value, headers: &[(&str, &str)]) -> Reply {
        let request = Request::post("/v1/send_to_sign").header("content-type", "application/json");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        self.send(request, body.to_string().into()).await
    }

    /// Posts any JSON to a path, with more headers.
    pub async fn post_to(&mut self, path: &str, body: &Value, headers: &[(&str, &str)]) -> Reply {
        let request = headers.iter().fold(Request::post(path), |request, (name, value)| request.header(*name, *value));
        self.send(request, body.to_string().into()).await
    }

    /// Follows a request's states.
    pub async fn events(&mut self, id: &str) -> Events {
        self.events_after(id, None).await
    }

    /// Likewise, after the event with this id.
    pub async fn events_after(&mut self, id: &str, last: Option<&str>) -> Events {
        let mut request = Request::get(format!("/v1/requests/{id}/events"));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = within("an answer", self.response(request, Bytes::new())).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let (head, body) = response.into_parts();
        Events { headers: head.headers, body, text: String::new() }
    }

    /// Gets a path.
    pub async fn get(&mut self, path: &str) -> Reply {
        self.send(Request::get(path), Bytes::new()).await
    }

    /// Gets a path, with more headers.
    pub async fn get_with(&mut self, path: &str, headers: &[(&str, &str)]) -> Reply {
        let request = headers.iter().fold(Request::get(path), |request, (name, value)| request.header(*name, *value));
        self.send(request, Bytes::new()).await
    }

    /// Uses any method on a path, with any JSON.
    pub async fn call_with(&mut self, method: Method, path: &str, body: &Value) -> Reply {
        let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        self.send(request, body.to_string().into()).await
    }

    /// Uses any method on a path.
    pub async fn call(&mut self, method: Method, path: &str) -> Reply {
        self.send(Request::builder().method(method).uri(path), Bytes::new()).await
    }

    async fn send(&mut self, request: hyper::http::request::Builder, body: Bytes) -> Reply {
        within("an answer", async {
            let (head, body) = self.response(request, body).await.into_parts();
            let text = String::from_utf8(body.collect().await.unwrap().to_bytes().into()).unwrap();
            let json = serde_json::from_str(&text).unwrap_or_default();
            Reply { status: head.status, headers: head.headers, json, text }
        })
        .await
    }

    async fn response(&mut self, request: hyper::http::request::Builder, body: Bytes) -> Response<Incoming> {
        let mut request = request.header("host", &self.host);
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.body(Full::new(body)).unwrap();
        self.sender.ready().await.unwrap();
        self.sender.send_request(request).await.unwrap()
    }
}

/// A stream of server-sent events.
#[derive(Debug)]
pub struct Events {
    /// Of the answer that they come in.
    pub headers: HeaderMap,
    body: Incoming,
    text: String,
}

/// One of them.
#[derive(Debug)]
pub struct ServerSentEvent {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: Option<String>,
    /// After how many milliseconds to connect anew, where it says so.
    pub retry: Option<String>,
    /// Its data, which is JSON.
    pub data: Value,
}

impl Events {
    /// The next event; none at the end of the stream.
    pub async fn next(&mut self) -> Option<ServerSentEvent> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
                let event = field("data:").map(|data| ServerSentEvent {
                    name: field("event:").unwrap(),
                    id: field("id:"),
                    retry: field("retry:"),
                    data: serde_json::from_str(&data).unwrap(),
                });
                self.text = rest.to_owned();
                if event.is_some() {
                    return event;
                }
                continue;
            }
            let frame = within("an event", self.body.frame()).await?.unwrap();
            self.text.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap());
        }
    }
}

//! An Actix application with the service inside, as its users would meet it.

use actix_web::{App, HttpServer, web};
use countersign_protocol::{AckOutcome, ClientFrame, ErrorCode, RejectCode, RejectScope, SignReject};
use countersign_server::{Config, SigningService};
use countersign_tests::{TestWallet, actix, eventually, within};
use http_body_util::{BodyExt, Full};
use hyper::{Request, body::Bytes, client::conn::http1::handshake};
use hyper_util::rt::TokioIo;
use std::net::{SocketAddr, TcpListener};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Message, protocol::frame::coding::CloseCode};

/// Runs `test` against the application on a port that the system chose.
async fn with_application<F: Future<Output = ()>>(test: impl FnOnce(SocketAddr, SigningService) -> F) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let service = SigningService::new(Config::new(vec![format!("ws://{address}/wallet").parse().unwrap()]));
    let data = web::Data::new(service.clone());
    let server = HttpServer::new(move || App::new().app_data(data.clone()).configure(actix::routes))
        .workers(1)
        .disable_signals()
        .h1_allow_half_closed(false)
        .listen(listener)
        .unwrap()
        .run();
    let handle = server.handle();
    let running = actix_web::rt::spawn(server);
    test(address, service.clone()).await;
    eventually("nothing pending", || service.pending() == 0).await;
    within("the application's end", handle.stop(false)).await;
    running.await.unwrap().unwrap();
}

async fn post(address: SocketAddr, path: String, body: &'static str) -> (u16, String) {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
    actix_web::rt::spawn(connection);
    let request = Request::post(path).header("host", address.to_string()).body(Full::new(Bytes::from(body))).unwrap();
    let response = within("an answer", sender.send_request(request)).await.unwrap();
    let status = response.status().as_u16();
    (status, String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().into()).unwrap())
}

fn hex(wallet: &TestWallet) -> String {
    wallet.public_key().as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[actix_web::test]
async fn a_controller_gets_a_signature_or_the_reason() {
    with_application(|address, service| async move {
        let mut wallet = TestWallet::introduced(&format!("ws://{address}/wallet"), 1).await;
        let path = format!("/contracts/{}", hex(&wallet));
        let (answer, outcome) = tokio::join!(post(address, path.clone(), "the contract"), wallet.sign_next());
        assert_eq!((answer.0, outcome), (200, AckOutcome::Accepted));
        assert_eq!(answer.1.parse::<countersign_protocol::Signature>().unwrap().to_string(), answer.1);

        let (answer, ()) = tokio::join!(post(address, path.clone(), "another"), async {
            let request_id = wallet.expect_request().await.request_id;
            let (code, scope) = (RejectCode::UserRejected, RejectScope::Key);
            wallet.send(&ClientFrame::SignReject(SignReject { request_id, code, reason: None, scope })).await;
            assert_eq!(wallet.expect_ack(request_id).await, AckOutcome::Accepted);
        });
        assert_eq!(answer, (403, "declined".into()));

        wallet.close().await;
        eventually("the wallet is gone", || service.connections() == 0).await;
        assert_eq!(post(address, path, "a third").await, (502, "no wallet with this key is connected".into()));
    })
    .await;
}

#[actix_web::test]
async fn a_client_that_hangs_up_withdraws_the_prompt() {
    with_application(|address, _| async move {
        let mut wallet = TestWallet::introduced(&format!("ws://{address}/wallet"), 3).await;
        let path = format!("/contracts/{}", hex(&wallet));
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!("POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 3\r\n\r\nyes");
        tokio::io::AsyncWriteExt::write_all(&mut stream, head.as_bytes()).await.unwrap();
        let request = wallet.expect_request().await;
        drop(stream);
        assert_eq!(wallet.expect_cancel().await.request_id, request.request_id);
    })
    .await;
}

#[actix_web::test]
async fn the_driver_keeps_its_rules_on_actix_s_socket() {
    with_application(|address, service| async move {
        let url = format!("ws://{address}/wallet");
        let mut wallet = TestWallet::dial(&url, 2).await;
        wallet.challenge().await;
        let bare = wallet.introduction(None);
        wallet.send(&bare).await;
        assert_eq!(wallet.expect_error().await, ErrorCode::ProofRequired);
        assert_eq!(wallet.expect_close().await, CloseCode::Policy);

        let mut wallet = TestWallet::introduced(&url, 2).await;
        wallet.send_raw(Message::Ping(Bytes::from_static(b"still there?"))).await;
        wallet.expect_pong().await;
        wallet.send_raw(Message::binary(vec![1])).await;
        assert_eq!(wallet.expect_error().await, ErrorCode::BinaryFrame);
        assert_eq!(wallet.expect_close().await, CloseCode::Unsupported);

        let mut wallet = TestWallet::introduced(&url, 2).await;
        wallet.send_text(&"x".repeat(100_000)).await;
        assert_eq!(wallet.expect_error().await, ErrorCode::FrameTooLarge);
        eventually("all are gone", || service.connections() == 0).await;
    })
    .await;
}

//! Traces, from a backend's call to a wallet's answer, as a collector of another project has them.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use countersign_protocol::{AckOutcome, ClientFrame, RequestStatus, WalletState};
use countersign_tests::{
    Backend, ServerProcess, TestWallet,
    collector::{CollectedSpan, Collector},
    within,
};
use serde_json::json;
use std::{env, net::SocketAddr};
use tokio::process::Command;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const OTHER: &str = "1af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";
const MESSAGE: &[u8] = b"nobody but the wallet reads this";

/// A server with the feature, which exports to this address, as often as this says.
fn traced(collector: SocketAddr, delay_ms: u32) -> Command {
    let program = env::var_os("COUNTERSIGN_OTLP_BIN").expect("COUNTERSIGN_OTLP_BIN names a server built with otlp");
    let mut command = Command::new(program);
    command
        .args(["--log=warn", "--no-rate-limit"])
        .env_clear()
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{collector}"))
        .env("OTEL_BSP_SCHEDULE_DELAY", delay_ms.to_string())
        .kill_on_drop(true);
    command
}

fn traceparent(trace: &str, flags: &str) -> String {
    format!("00-{trace}-{CALLER}-{flags}")
}

/// Has a wallet asked in a trace, and sign.
async fn sign(server: &ServerProcess, wallet: &mut TestWallet, trace: &str, flags: &str) {
    let mut backend = Backend::connect(server.address).await;
    let call = json!({ "public_key": wallet.public_key().to_string(), "message": STANDARD.encode(MESSAGE) });
    let parent = traceparent(trace, flags);
    let headers = [("traceparent", parent.as_str())];
    let (reply, ()) = tokio::join!(backend.post_with(&call, &headers), answer(wallet));
    assert_eq!(reply.status, 200, "{}", reply.text);
}

async fn answer(wallet: &mut TestWallet) {
    let request = wallet.expect_request().await;
    for state in [WalletState::Received, WalletState::Displayed] {
        wallet.send(&ClientFrame::RequestStatus(RequestStatus { request_id: request.request_id, state })).await;
    }
    wallet.send(&wallet.answer(&request)).await;
    assert_eq!(wallet.expect_ack(request.request_id).await, AckOutcome::Accepted);
}

async fn wallet_of(server: &ServerProcess) -> TestWallet {
    TestWallet::introduced(&format!("ws://{}/ws", server.address), 7).await
}

fn called<'a>(spans: &'a [CollectedSpan], name: &str) -> &'a CollectedSpan {
    let found: Vec<_> = spans.iter().filter(|span| span.name == name).collect();
    assert_eq!(found.len(), 1, "{name}: {spans:?}");
    found[0]
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a collector: make otlp-tests"]
async fn a_trace_goes_from_the_call_to_the_answer() {
    let collector = Collector::start().await;
    let server = ServerProcess::spawn(traced(collector.address, 50)).await;
    let mut wallet = wallet_of(&server).await;
    // Its caller has not sampled it.
    sign(&server, &mut wallet, OTHER, "00").await;
    sign(&server, &mut wallet, TRACE, "01").await;
    let spans = collector.expect(TRACE, 3).await;

    let call = called(&spans, "POST /v1/send_to_sign");
    assert_eq!((call.parent.as_str(), call.kind.as_str()), (CALLER, "SPAN_KIND_SERVER"));
    for (name, value) in [
        ("http.request.method", "Str(POST)"),
        ("http.route", "Str(/v1/send_to_sign)"),
        ("http.response.status_code", "Int(200)"),
        ("client.address", "Str(127.0.0.1)"),
    ] {
        assert_eq!(call.attributes.get(name).map(String::as_str), Some(value), "{name}");
    }
    let request = called(&spans, "sign request");
    assert_eq!(request.parent, call.id);
    for (name, value) in [("countersign.outcome", "Str(signed)"), ("countersign.ended_by", "Str(wallet)")] {
        assert_eq!(request.attributes.get(name).map(String::as_str), Some(value), "{name}");
    }
    let device = called(&spans, "ask device");
    assert_eq!(device.parent, request.id);
    assert_eq!(device.events, ["delivered", "received", "displayed", "verified"]);

    assert!(collector.spans(OTHER).is_empty(), "not sampled");
    let text = collector.text();
    for secret in
        [String::from_utf8_lossy(MESSAGE).into_owned(), STANDARD.encode(MESSAGE), wallet.public_key().to_string()]
    {
        assert!(!text.contains(&secret), "{secret}");
    }
    let metrics = Backend::connect(server.address).await.get("/metrics").await.text;
    assert!(metrics.contains("countersign_trace_spans_total{outcome=\"exported\"} 3"), "{metrics}");
    server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a collector: make otlp-tests"]
async fn a_request_that_outlives_its_call_is_in_the_same_trace() {
    let (collector, folder) = (Collector::start().await, tempfile::tempdir().unwrap());
    let mut command = traced(collector.address, 50);
    command.arg("--data-dir").arg(folder.path());
    let server = ServerProcess::spawn(command).await;
    let mut wallet = wallet_of(&server).await;
    let call = json!({ "public_key": wallet.public_key().to_string(), "message": STANDARD.encode(MESSAGE) });
    let parent = traceparent(TRACE, "01");
    let headers = [("traceparent", parent.as_str()), ("prefer", "respond-async")];
    let reply = Backend::connect(server.address).await.post_with(&call, &headers).await;
    assert_eq!(reply.status, 202, "{}", reply.text);
    // The call is over, and told.
    collector.expect(TRACE, 1).await;
    answer(&mut wallet).await;
    let spans = collector.expect(TRACE, 3).await;
    let request = called(&spans, "sign request");
    assert_eq!(request.parent, called(&spans, "POST /v1/send_to_sign").id);
    assert_eq!(
        request.attributes["countersign.request.id"],
        format!("Str({})", reply.json["request_id"].as_str().unwrap())
    );
    assert_eq!(request.attributes["countersign.request.durable"], "Bool(true)");
    server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a collector: make otlp-tests"]
async fn what_has_not_been_exported_is_when_the_server_stops() {
    let collector = Collector::start().await;
    let server = ServerProcess::spawn(traced(collector.address, 900_000)).await;
    let mut wallet = wallet_of(&server).await;
    sign(&server, &mut wallet, TRACE, "01").await;
    assert!(collector.spans(TRACE).is_empty(), "not yet");
    server.signal("TERM").await;
    let (status, log) = within("the server to stop", server.end()).await;
    assert!(status.success(), "{log}");
    collector.expect(TRACE, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a collector: make otlp-tests"]
async fn a_collector_that_is_away_costs_nothing_but_spans() {
    let collector = Collector::start().await;
    let server = ServerProcess::spawn(traced(collector.address, 50)).await;
    collector.kill().await;
    let mut wallet = wallet_of(&server).await;
    for _ in 0..20 {
        sign(&server, &mut wallet, TRACE, "01").await;
    }
    let mut backend = Backend::connect(server.address).await;
    within("spans that are lost to be counted", async {
        while !backend.get("/metrics").await.text.contains("countersign_trace_spans_total{outcome=\"failed\"} 60") {
            tokio::task::yield_now().await;
        }
    })
    .await;
    server.signal("TERM").await;
    let (status, log) = within("the server to stop", server.end()).await;
    assert!(status.success() && log.contains("spans cannot be exported"), "{log}");
}

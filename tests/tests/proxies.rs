//! The proxies as docs/operating.md has them, in front of the real server: what the API documents is what its callers get.
//!
//! nginx and Caddy have to be there: `make proxy-tests` installs them.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use countersign_protocol::limits::{MAX_BATCH, MAX_MESSAGE_BYTES};
use countersign_server::http::Tokens;
use countersign_tests::{Backend, ServerProcess, TestWallet, documents::blocks, within};
use serde_json::json;
use std::{fs, net::SocketAddr, process::Stdio};
use tempfile::TempDir;
use tokio::{
    net::{TcpListener, TcpStream},
    process::{Child, Command},
};

/// A server behind a proxy.
struct Proxied {
    proxy: Child,
    /// Where the proxy listens.
    address: SocketAddr,
    server: ServerProcess,
    token: String,
    _folder: TempDir,
}

/// A port that is free now. The proxies do not say which one the system chose for them.
async fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

impl Proxied {
    /// `configure` makes the proxy's command of a folder, its address and the server's.
    async fn start(configure: impl FnOnce(&std::path::Path, SocketAddr, SocketAddr) -> Command) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (token, entry) = Tokens::generate("Example Bank", None).unwrap();
        let config = folder.path().join("countersign.toml");
        fs::write(&config, format!("[[token]]\nname = {:?}\nsha256 = {:?}\n", entry.name, entry.sha256)).unwrap();
        let address = free_address().await;
        let (config, data) = (config.to_str().unwrap(), folder.path().join("data"));
        let audience = format!("ws://{address}/ws");
        let arguments = ["--audience", &audience, "--trusted-proxy", "127.0.0.1", "--config", config];
        let mut command = ServerProcess::command(&arguments);
        command.arg("--data-dir").arg(data);
        let server = ServerProcess::spawn_logging_to(command, Stdio::null()).await;
        let mut proxy = configure(folder.path(), address, server.address);
        let proxy = proxy.stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).spawn().unwrap();
        within("the proxy", async {
            while TcpStream::connect(address).await.is_err() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        Self { proxy, address, server, token, _folder: folder }
    }

    async fn backend(&self) -> Backend {
        Backend::connect(self.address).await.with_token(&self.token)
    }

    async fn wallet(&self, seed: u8) -> TestWallet {
        TestWallet::introduced(&format!("ws://{}/ws", self.address), seed).await
    }

    async fn finish(mut self) {
        self.proxy.kill().await.unwrap();
        self.server.kill().await;
    }
}

/// nginx with the documented configuration, but for its address, its name and its certificate.
async fn nginx() -> Proxied {
    Proxied::start(|folder, address, server| {
        let [documented]: [String; 1] = blocks("docs/operating.md", "nginx").try_into().unwrap();
        let documented = replaced(&documented, "listen 443 ssl;", &format!("listen {address};"));
        let documented = replaced(&documented, "server 127.0.0.1:8080;", &format!("server {server};"));
        let own = documented.lines().filter(|line| !line.trim_start().starts_with("ssl_")).collect::<Vec<_>>().join("\n");
        let at = folder.display();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {at}/{kind};\n"))
            .concat();
        let config = format!(
            "daemon off;\npid {at}/nginx.pid;\nerror_log {at}/error.log;\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}{own}\n}}\n"
        );
        let file = folder.join("nginx.conf");
        fs::write(&file, config).unwrap();
        let mut command = Command::new("nginx");
        command.env("PATH", "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin").arg("-c").arg(file).arg("-p").arg(folder);
        command
    })
    .await
}

/// Caddy likewise, without TLS.
async fn caddy() -> Proxied {
    Proxied::start(|folder, address, server| {
        let [documented]: [String; 1] = blocks("docs/operating.md", "caddyfile").try_into().unwrap();
        let documented = replaced(&documented, "sign.example.com {", &format!("http://{address} {{"));
        let documented = replaced(&documented, "127.0.0.1:8080", &server.to_string());
        let file = folder.join("Caddyfile");
        fs::write(&file, format!("{{\n\tadmin off\n}}\n{documented}")).unwrap();
        let mut command = Command::new("caddy");
        command.args(["run", "--adapter", "caddyfile", "--config"]).arg(file);
        command.env("XDG_DATA_HOME", folder).env("XDG_CONFIG_HOME", folder).env("HOME", folder);
        command
    })
    .await
}

fn replaced(text: &str, documented: &str, here: &str) -> String {
    assert_eq!(text.matches(documented).count(), 1, "{documented} in the document");
    text.replace(documented, here)
}

async fn everything_documented_passes(proxied: Proxied) {
    let mut backend = proxied.backend().await;

    // The longest call there is, waited for.
    let mut wallet = proxied.wallet(61).await;
    let key = wallet.public_key().to_string();
    let message = STANDARD.encode(vec![b'x'; MAX_MESSAGE_BYTES]);
    let longest = json!({ "public_key": key, "messages": vec![message; MAX_BATCH] });
    let signing = tokio::spawn(async move {
        let mut requests = Vec::new();
        for _ in 0..MAX_BATCH {
            requests.push(wallet.expect_request().await);
        }
        for request in requests {
            let answer = wallet.answer(&request);
            wallet.send(&answer).await;
            wallet.expect_ack(request.request_id).await;
        }
        wallet
    });
    let reply = backend.post(&longest).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let wallet = signing.await.unwrap();

    // What is refused is refused by the server, and says why, whatever of the body is still on its way.
    let beyond = json!({ "public_key": key, "message": "x".repeat(3_000_000) });
    assert_eq!(backend.post(&beyond).await.code(), (413, "payload_too_large"));
    assert_eq!(backend.post_text("text/plain", "x".repeat(1_000_000)).await.code(), (415, "unsupported_media_type"));
    let mut stranger = Backend::connect(proxied.address).await.with_token("cs_wrong");
    let mut refusals = Vec::new();
    for _ in 0..40 {
        let reply = stranger.post(&longest).await;
        refusals.push((reply.status.as_u16(), reply.json["code"].as_str().unwrap_or(&reply.text).to_owned()));
    }
    assert!(
        refusals.contains(&(401, "unauthorized".into())) && refusals.contains(&(429, "rate_limited".into())),
        "{refusals:?}"
    );
    assert!(refusals.iter().all(|(status, _)| [401, 429].contains(status)), "{refusals:?}");

    // Events arrive when they happen, and not when there are enough of them.
    let reply = backend
        .post_with(
            &json!({ "public_key": key, "message": STANDARD.encode("durable"), "queue": true }),
            &[("prefer", "respond-async")],
        )
        .await;
    assert_eq!(reply.status, 202, "{}", reply.text);
    let id = reply.json["request_id"].as_str().unwrap().to_owned();
    let mut events = proxied.backend().await.events(&id).await;
    within("the first event", events.next()).await.expect("an event");
    let mut wallet = wallet;
    wallet.sign_next().await;
    let mut last = None;
    while let Some(event) = within("the end", events.next()).await {
        last = Some(event);
    }
    assert_eq!(last.unwrap().data["state"], "signed");

    // A caller that hangs up withdraws its request.
    let mut hasty = proxied.backend().await;
    let body = json!({ "public_key": key, "message": STANDARD.encode("never mind") });
    let calling = tokio::spawn(async move { hasty.post(&body).await });
    let request = wallet.expect_request().await;
    calling.abort();
    assert_eq!(wallet.expect_cancel().await.request_id, request.request_id);

    // What verifies and generates is public, and what operators ask is not.
    for path in ["/.well-known/jwks.json", "/openapi.json", &format!("/v1/requests/{id}")] {
        let reply = backend.get(path).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text);
    }
    for path in ["/metrics", "/healthz", "/readyz"] {
        assert_eq!(backend.get(path).await.status, 404, "{path}");
    }
    drop(wallet);
    proxied.finish().await;
}

#[tokio::test]
#[ignore = "needs nginx: make proxy-tests"]
async fn behind_nginx_everything_documented_passes() {
    everything_documented_passes(nginx().await).await;
}

#[tokio::test]
#[ignore = "needs Caddy: make proxy-tests"]
async fn behind_caddy_everything_documented_passes() {
    everything_documented_passes(caddy().await).await;
}

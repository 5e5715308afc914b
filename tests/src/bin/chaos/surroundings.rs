//! What stands around a server: proxies, webhook targets, backups, orchestrators, and who administers its tokens.

use crate::{World, durable::Durable, public_key, quiet_server, row::Row, server_with_tokens};
use countersign_server::http::Tokens;
use countersign_tests::{
    Backend, Proxied, ServerProcess, TestWallet, WebhookReceiver,
    chaos::{Honest, Seen, hostile},
    within,
};
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

const ASYNC: (&str, &str) = ("prefer", "respond-async");

impl World {
    pub(crate) async fn proxied(&mut self, fault: &'static str, start: impl AsyncFnOnce() -> Proxied) {
        if !self.wants(fault) {
            return;
        }
        let proxied = start().await;
        let wanted = self.arguments.signatures;
        let token = proxied.token.clone();
        let seen =
            Honest::live_through(proxied.address, Some(&token), async |honest| honest.signatures(wanted).await).await;
        let quiet = seen.noticed.is_empty();
        self.note(Row::of(fault, &proxied.servers[0], 32, seen).expect(quiet, "somebody noticed it"));
        proxied.finish().await;
    }

    /// Another target hears in time.
    pub(crate) async fn hanging_webhook(&mut self) {
        const FAULT: &str = "a webhook that never answers, 160 events for it";
        if !self.wants(FAULT) {
            return;
        }
        let hanging = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let hanging_url = format!("http://{}/", hanging.local_addr().unwrap());
        let holding = tokio::spawn(async move {
            let mut held = Vec::new();
            while let Ok((stream, _)) = hanging.accept().await {
                held.push(stream);
            }
        });
        let mut other = WebhookReceiver::start(&[200]).await;
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().to_str().unwrap();
        let server =
            quiet_server(&["--data-dir", data, "--webhook-target", &hanging_url, "--webhook-target", &other.url()])
                .await;
        let wanted = self.arguments.signatures;
        let mut took = Duration::MAX;
        let seen = Honest::live_through(server.address, None, async |honest| {
            let mut backend = Backend::connect(server.address).await;
            let mut wallet = TestWallet::introduced(&format!("ws://{}/ws", server.address), 1).await;
            let call = |url: &str| json!({ "public_key": public_key(1), "message": "aGVsbG8=", "webhook": url });
            for _ in 0..160 {
                let reply = backend.post_with(&call(&hanging_url), &[ASYNC]).await;
                assert_eq!(reply.status, 202, "{}", reply.text);
                wallet.sign_next().await;
            }
            backend.post_with(&call(&other.url()), &[ASYNC]).await;
            wallet.sign_next().await;
            let signed = Instant::now();
            within("the other target's event", other.next()).await;
            took = signed.elapsed();
            honest.signatures(wanted).await;
        })
        .await;
        let quiet = seen.noticed.is_empty();
        self.note(
            Row::of(FAULT, &server, 32, seen)
                .expect(quiet, "somebody noticed it")
                .expect(took < Duration::from_secs(5), format!("another target heard after {} s", took.as_secs())),
        );
        holding.abort();
        server.kill().await;
    }

    /// Each copy is whole: what was taken before it is in it.
    pub(crate) async fn backups(&mut self) {
        const FAULT: &str = "backed up again and again";
        if !self.wants(FAULT) {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let (data, copy) = (folder.path().join("data"), folder.path().join("copy"));
        let server = quiet_server(&["--data-dir", data.to_str().unwrap()]).await;
        let mut backend = Backend::connect(server.address).await;
        let wanted = self.arguments.signatures / 5;
        let mut queued = Vec::new();
        let seen = Honest::live_through(server.address, None, async |honest| {
            for seed in 0..5 {
                queued.push(Durable::queue(&mut backend, 92 + seed, 5).await);
                let mut backup =
                    ServerProcess::command(&["--data-dir", data.to_str().unwrap(), "backup", copy.to_str().unwrap()]);
                let output = within("a backup", backup.output()).await.unwrap();
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
                honest.signatures(wanted).await;
            }
        })
        .await;
        let quiet = seen.noticed.is_empty();
        let row = Row::of(FAULT, &server, 32, seen);
        server.kill().await;
        let restored = quiet_server(&["--data-dir", copy.to_str().unwrap()]).await;
        let mut backend = Backend::connect(restored.address).await;
        let mut signed = 0;
        for durable in &queued {
            durable.sign(restored.address).await;
            signed += durable.signed(&mut backend).await;
        }
        self.note(
            row.expect(quiet, "somebody noticed it")
                .expect(signed == 25, format!("{signed} of 25 that had been taken were in the last copy")),
        );
        restored.kill().await;
    }

    /// The same idempotency key asks nobody again, and the old requests are there.
    pub(crate) async fn renamed(&mut self) {
        const FAULT: &str = "a requester with another name and another token";
        if !self.wants(FAULT) {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let (token, entry) = Tokens::generate("Exmaple Bank", None).unwrap();
        let id = entry.id.clone();
        let server = server_with_tokens(&folder, &[entry]).await;
        let mut backend = Backend::connect(server.address).await.with_token(&token);
        let durable = Durable::queue(&mut backend, 97, 5).await;
        let key = ("idempotency-key", "order-1042");
        let once = Durable::queue(&mut backend, 99, 0).await;
        let first = backend.post_with(&once.call("once"), &[ASYNC, key]).await;
        server.kill().await;
        let (token, entry) = Tokens::generate("Example Bank", id.as_deref()).unwrap();
        let server = server_with_tokens(&folder, &[entry]).await;
        let mut backend = Backend::connect(server.address).await.with_token(&token);
        let wanted = self.arguments.signatures;
        let mut again = None;
        let mut signed = 0;
        let seen = Honest::live_through(server.address, Some(&token), async |honest| {
            again = Some(backend.post_with(&once.call("once"), &[ASYNC, key]).await);
            durable.sign(server.address).await;
            signed = durable.signed(&mut backend).await;
            honest.signatures(wanted).await;
        })
        .await;
        let quiet = seen.noticed.is_empty();
        let is_same = again.is_some_and(|again| again.json["request_id"] == first.json["request_id"]);
        self.note(
            Row::of(FAULT, &server, 32, seen)
                .expect(quiet, "somebody noticed it")
                .expect(is_same, "an idempotency key asked a second time")
                .expect(signed == 5, format!("{signed} of 5 were found again")),
        );
        server.kill().await;
    }

    /// An orchestrator does not take a crowd for a dead server.
    pub(crate) async fn probes(&mut self) {
        const FAULT: &str = "every connection taken by silence, and probes";
        if !self.wants(FAULT) {
            return;
        }
        let server =
            quiet_server(&["--max-connections=200", "--max-connections-per-ip=1000", "--connects-per-second=10000"])
                .await;
        let silence = hostile::silence(server.address, 200).await;
        let mut seen = Seen::default();
        for _ in 0..20 {
            for path in ["/healthz", "/readyz"] {
                let reply = Backend::connect(server.address).await.get(path).await;
                seen.calls += 1;
                if reply.status != 200 {
                    *seen.noticed.entry(format!("{} from {path}", reply.status)).or_default() += 1;
                }
            }
        }
        let quiet = seen.noticed.is_empty();
        self.note(Row::of(FAULT, &server, 240, seen).expect(quiet, "a probe failed"));
        drop(silence);
        server.kill().await;
    }
}

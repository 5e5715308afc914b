//! Tokens in the database of two real servers: made, exchanged and revoked by the command, and what each server makes of it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use countersign_tests::{Backend, ServerProcess, TestWallet, postgres::Cluster, within};
use serde_json::{Value, json};
use std::{process::Output, time::Duration};

const ASYNC: [(&str, &str); 1] = [("prefer", "respond-async")];

const UNTAKEN: &str = "countersign_config_last_reload_successful 0";
const OPEN: &str = "SELECT count(*) FROM requests WHERE ended_at IS NULL";

struct World {
    cluster: Cluster,
    nodes: Vec<ServerProcess>,
}

/// A token of a requester, and how the commands name it.
struct Token {
    id: String,
    requester: String,
    secret: String,
}

impl World {
    async fn new() -> Self {
        let cluster = Cluster::start(&["fsync=off"]).await;
        let mut world = Self { cluster, nodes: Vec::new() };
        for _ in 0..2 {
            let node = world.node().await;
            world.nodes.push(node);
        }
        world
    }

    fn database(&self) -> [String; 2] {
        [format!("--database-url={}", self.cluster.url("postgres")), "--database-tokens".to_owned()]
    }

    async fn node(&self) -> ServerProcess {
        let [url, tokens] = self.database();
        ServerProcess::start(&[&url, &tokens, "--log=error"]).await
    }

    async fn run(&self, arguments: &[&str]) -> Output {
        let mut command = ServerProcess::command(&["token"]);
        within("the command", command.args(arguments).args(self.database()).output()).await.unwrap()
    }

    async fn said(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments).await;
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs what makes a token.
    async fn made(&self, arguments: &[&str]) -> Token {
        let said = self.said(arguments).await;
        let words: Vec<_> = said.split_once("Bearer token ").unwrap().1.split_whitespace().collect();
        let ["of", "requester", requester] = words[1..4] else { panic!("{said}") };
        Token {
            id: words[0].into(),
            requester: requester.trim_end_matches(',').into(),
            secret: words.iter().find(|word| word.starts_with("cs_")).unwrap().to_string(),
        }
    }

    async fn backend(&self, node: usize, token: &Token) -> Backend {
        Backend::connect(self.nodes[node].address).await.with_token(&token.secret)
    }

    /// Until every server answers the token so.
    async fn until(&self, token: &Token, status: u16) {
        for node in 0..self.nodes.len() {
            let mut backend = self.backend(node, token).await;
            within("the token", async {
                while backend.get("/v1/requests").await.status != status {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            })
            .await;
        }
    }

    async fn until_open(&self, requests: &str) {
        within("ends", async {
            while self.cluster.execute("postgres", OPEN).await.trim() != requests {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
    }

    /// Until every server says of itself that it has taken what is there, or has not.
    async fn until_taken(&self, taken: bool) {
        for node in &self.nodes {
            let mut backend = Backend::connect(node.address).await;
            within("the metric", async {
                while backend.get("/metrics").await.text.contains(UNTAKEN) == taken {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            })
            .await;
        }
    }

    async fn end(self) {
        for node in self.nodes {
            node.kill().await;
        }
    }
}

fn queued(n: u8) -> Value {
    let key = ed25519_dalek::SigningKey::from_bytes(&[n; 32]).verifying_key().to_bytes();
    json!({ "public_key": STANDARD.encode(key), "message": STANDARD.encode("hello"), "queue": true })
}

#[tokio::test]
#[ignore = "needs PostgreSQL: make postgres-tests"]
async fn a_token_that_the_command_makes_exchanges_and_revokes_is_so_at_every_server() {
    let world = World::new().await;
    let mut stranger = Backend::connect(world.nodes[0].address).await;
    assert_eq!(stranger.post(&queued(1)).await.code(), (401, "unauthorized"), "while there is none, too");

    let first = world.made(&["add", "--max-pending=1", "Example Bank"]).await;
    world.until(&first, 200).await;
    for node in 0..2 {
        let mut backend = world.backend(node, &first).await;
        let key = [("prefer", "respond-async"), ("idempotency-key", "one")];
        let accepted = if node == 0 {
            backend.post_with(&queued(1), &key).await
        } else {
            backend.post_with(&queued(1), &ASYNC).await
        };
        assert_eq!(accepted.status, 202, "{}", accepted.text);
        assert_eq!(backend.post_with(&queued(1), &ASYNC).await.code(), (429, "requester_limit"));
        if node == 0 {
            assert_eq!(backend.post_with(&queued(1), &key).await.status, 202, "the same again takes no room");
        }
    }

    let second = world.made(&["rotate", "--overlap-hours=1", &first.id]).await;
    assert_eq!(second.requester, first.requester);
    world.until(&second, 200).await;
    world.until(&first, 200).await;
    let said = world.said(&["revoke", "--keep-requests", &first.id]).await;
    assert!(said.contains("callers wait: 2; they go on"), "{said}");
    world.until(&first, 401).await;
    world.until(&second, 200).await;
    world.until_open("2").await;
    let said = world.said(&["list"]).await;
    assert_eq!((said.matches(" valid ").count(), said.matches(" revoked ").count()), (1, 1), "{said}");
    assert!(said.contains("at most 1 open requests") && !said.contains(&second.secret), "{said}");

    let said = world.said(&["revoke", "--end-requests", &second.id]).await;
    assert!(said.contains("callers wait: 2; each server ends those"), "{said}");
    world.until(&second, 401).await;
    world.until_open("0").await;
    world.end().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: make postgres-tests"]
async fn without_the_database_tokens_hold_as_they_were_and_a_row_that_does_not_read_changes_none() {
    let mut world = World::new().await;
    let [kept, revoked] = [world.made(&["add", "a"]).await, world.made(&["add", "b"]).await];
    for token in [&kept, &revoked] {
        world.until(token, 200).await;
    }
    world.cluster.kill();
    assert!(!world.run(&["revoke", "--keep-requests", &revoked.id]).await.status.success());
    for node in 0..2 {
        // Known, though there is nothing that it could be told.
        let mut backend = world.backend(node, &revoked).await;
        assert_eq!(backend.get("/v1/requests").await.code(), (503, "storage_unavailable"));
    }
    world.cluster.restart().await;
    world.said(&["revoke", "--keep-requests", &revoked.id]).await;
    world.until(&revoked, 401).await;
    world.until(&kept, 200).await;

    let later =
        "INSERT INTO tokens SELECT sha256('x'), replace(entry, '}', ',\"tenant\":1}'), 0, 0 FROM tokens LIMIT 1";
    world.cluster.execute("postgres", later).await;
    world.until_taken(false).await;
    let refused = world.run(&["revoke", "--keep-requests", &kept.id]).await;
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && said.contains("unknown field `tenant`"), "{said}");
    world.until(&kept, 200).await;
    world.cluster.execute("postgres", "DELETE FROM tokens WHERE sha256 = sha256('x')").await;
    world.until_taken(true).await;
    world.end().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: make postgres-tests"]
async fn what_a_dead_server_leaves_open_of_a_revoked_token_ends_too() {
    let mut world = World::new().await;
    let token = world.made(&["add", "a"]).await;
    world.until(&token, 200).await;
    let wallet = TestWallet::introduced(&format!("ws://{}/ws", world.nodes[1].address), 1).await;
    let mut backend = world.backend(0, &token).await;
    assert_eq!(backend.post_with(&queued(1), &ASYNC).await.status, 202);
    world.nodes.remove(0).kill().await;
    world.said(&["revoke", "--end-requests", &token.id]).await;
    world.until_open("0").await;
    wallet.close().await;
    world.end().await;
}

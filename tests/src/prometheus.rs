//! A Prometheus of the tests' own, and its promtool: Debian's programs.

use crate::{
    Backend,
    documents::{blocks, repository},
    within,
};
use serde_json::Value;
use std::{
    fs,
    net::SocketAddr,
    path::Path,
    process::{Output, Stdio},
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, Command},
    time::sleep,
};

const PAGE: &str = "docs/operating/observing.md";
const RULES: &str = "packaging/prometheus/countersign.rules.yml";

/// A running Prometheus, killed when dropped.
#[derive(Debug)]
pub struct Prometheus {
    /// Where it listens.
    pub address: SocketAddr,
    _child: Child,
    /// Removed last.
    _folder: TempDir,
}

/// Writes the documented configuration and the rules into a folder.
pub fn configure(folder: &Path) {
    let [configuration]: [String; 1] = blocks(PAGE, "yaml").try_into().unwrap();
    fs::write(folder.join("prometheus.yml"), configuration).unwrap();
    fs::copy(repository().join(RULES), folder.join("countersign.rules.yml")).unwrap();
}

impl Prometheus {
    /// Starts one as documented, which scrapes this server, and that every second.
    pub async fn scraping(server: SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        configure(folder.path());
        let file = folder.path().join("prometheus.yml");
        let documented = fs::read_to_string(&file).unwrap().replace("127.0.0.1:8080", &server.to_string());
        assert!(documented.contains(&server.to_string()));
        let often = "global: { scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }\n";
        fs::write(&file, format!("{often}{documented}")).unwrap();
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg("--web.listen-address=127.0.0.1:0")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = within("Prometheus", async {
            loop {
                let line = lines.next_line().await.unwrap().expect("it listens");
                if let Some((_, address)) = line.split_once("msg=\"Listening on\" address=") {
                    return address.parse().unwrap();
                }
            }
        })
        .await;
        // It would stop at a pipe that nobody empties.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let prometheus = Self { address, _child: child, _folder: folder };
        within("Prometheus to be ready", prometheus.ready()).await;
        prometheus
    }

    async fn ready(&self) {
        while Backend::connect(self.address).await.get("/-/ready").await.status != 200 {
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// What it answers to a path of its API.
    pub async fn get(&self, path: &str) -> Value {
        let reply = Backend::connect(self.address).await.get(path).await;
        assert_eq!(reply.json["status"], "success", "{path}: {}", reply.text);
        reply.json["data"].clone()
    }

    /// The samples that an expression comes to now.
    pub async fn query(&self, expression: &str) -> Vec<Value> {
        let encoded: String = expression.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let data = self.get(&format!("/api/v1/query?query={encoded}")).await;
        data["result"].as_array().unwrap().clone()
    }
}

/// Runs promtool on a text; what it said, where it found nothing wrong.
pub async fn promtool(arguments: &[&str], input: &str) -> String {
    let mut command = Command::new("promtool");
    command.args(arguments).current_dir(repository()).kill_on_drop(true);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // Fails where promtool reads files alone.
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    let Output { status, stdout, stderr } = within("promtool", child.wait_with_output()).await.unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "promtool {arguments:?}: {said}");
    said
}

//! A collector of OpenTelemetry of the tests' own, another project's program, which writes down what it is sent.

use crate::{eventually, within};
use std::{
    collections::BTreeMap,
    env,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process::Stdio,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpStream,
    process::{Child, Command},
};

/// A running collector, killed when dropped.
#[derive(Debug)]
pub struct Collector {
    /// Where it takes spans by HTTP.
    pub address: SocketAddr,
    child: Child,
    written: Arc<Mutex<String>>,
}

/// A span as the collector has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CollectedSpan {
    /// Its trace, in hex digits.
    pub trace: String,
    /// Its parent; empty for none.
    pub parent: String,
    /// Itself.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// As the protocol has it: `SPAN_KIND_SERVER`.
    pub kind: String,
    /// Those of it and of its events, as text.
    pub attributes: BTreeMap<String, String>,
    /// The names of its events, in order.
    pub events: Vec<String>,
}

impl Collector {
    /// Starts the one that `COUNTERSIGN_COLLECTOR` names, which is a rotel.
    pub async fn start() -> Self {
        let program = env::var_os("COUNTERSIGN_COLLECTOR").expect("COUNTERSIGN_COLLECTOR names a rotel-agent");
        let [address, other] = free_addresses();
        let mut child = Command::new(program)
            .arg("start")
            .args(["--otlp-http-endpoint", &address.to_string(), "--otlp-grpc-endpoint", &other.to_string()])
            .args(["--exporter", "blackhole", "--debug-log", "traces", "--debug-log-verbosity", "detailed"])
            .env_clear()
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let written = Arc::<Mutex<String>>::default();
        let writing = Arc::clone(&written);
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                let mut written = writing.lock().unwrap();
                written.push_str(&line);
                written.push('\n');
            }
        });
        within("the collector to listen", async { while TcpStream::connect(address).await.is_err() {} }).await;
        Self { address, child, written }
    }

    /// Everything that it has written down.
    pub fn text(&self) -> String {
        self.written.lock().unwrap().clone()
    }

    /// The spans of a trace that it has so far.
    pub fn spans(&self, trace: &str) -> Vec<CollectedSpan> {
        spans(&self.text()).into_iter().filter(|span| span.trace == trace).collect()
    }

    /// Waits until it has so many spans of a trace.
    pub async fn expect(&self, trace: &str, count: usize) -> Vec<CollectedSpan> {
        eventually("the spans of a trace", || self.spans(trace).len() >= count).await;
        self.spans(trace)
    }

    /// Ends it at once.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }
}

/// Two that nobody has at this moment.
fn free_addresses() -> [SocketAddr; 2] {
    let listeners = [(); 2].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    listeners.map(|listener| listener.local_addr().unwrap())
}

/// What it writes is one line for each thing it knows of a span.
fn spans(text: &str) -> Vec<CollectedSpan> {
    let mut spans: Vec<CollectedSpan> = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with("Span #") {
            spans.push(CollectedSpan::default());
        }
        let Some(span) = spans.last_mut() else { continue };
        if let Some((name, value)) = line.strip_prefix("-> ").and_then(|attribute| attribute.split_once(": ")) {
            match name {
                "Name" => span.events.push(value.into()),
                name => drop(span.attributes.insert(name.into(), value.into())),
            }
        } else if let Some((name, value)) = line.split_once(':') {
            let value = value.trim().to_owned();
            match name.trim() {
                "Trace ID" => span.trace = value,
                "Parent ID" => span.parent = value,
                "ID" => span.id = value,
                "Name" => span.name = value,
                "Kind" => span.kind = value,
                _ => {}
            }
        }
    }
    spans
}

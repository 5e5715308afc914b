//! Backends that call all servers in turn, and carry through whatever they have begun.

use super::{Does, Intent, Ledger};
use crate::outage::http::{Unanswered, call_within};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use countersign_protocol::{PublicKey, PublicKeyBytes, Signable, Signature};
use hyper::Method;
use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{sync::watch, time::sleep};

/// The time that a request gives its human.
const TIME: Duration = Duration::from_secs(20);
/// That of a request which nobody answers.
const LITTLE_TIME: Duration = Duration::from_millis(1500);
/// How long after its time a request may take to come to its end, whatever goes wrong meanwhile.
const GRACE: Duration = Duration::from_secs(20);
/// How long a call that is to be answered soon is waited for.
const PATIENCE: Duration = Duration::from_secs(8);
/// Who was refused comes back after that.
const PAUSE: Duration = Duration::from_millis(100);

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mix {
    /// Everything there is.
    All,
    /// What somebody waits for, and what is durable and signed.
    Signed,
    /// Only what is durable, in that way.
    Durable,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Waiting,
    WaitingBatch,
    Durable,
    DurableBatch,
    DurableWaiting,
    Withdrawn,
    Expiring,
}

const ALL: [(Kind, Does); 14] = [
    (Kind::Waiting, Does::Sign),
    (Kind::Durable, Does::Sign),
    (Kind::Withdrawn, Does::Nothing),
    (Kind::Waiting, Does::Sign),
    (Kind::DurableWaiting, Does::Sign),
    (Kind::WaitingBatch, Does::Sign),
    (Kind::Durable, Does::NotHere),
    (Kind::Withdrawn, Does::Sign),
    (Kind::DurableBatch, Does::Sign),
    (Kind::Waiting, Does::Decline),
    (Kind::Durable, Does::Decline),
    (Kind::Expiring, Does::Nothing),
    (Kind::DurableWaiting, Does::Decline),
    (Kind::Durable, Does::Sign),
];
const SIGNED: [(Kind, Does); 4] = [
    (Kind::Waiting, Does::Sign),
    (Kind::Durable, Does::Sign),
    (Kind::Waiting, Does::Sign),
    (Kind::DurableWaiting, Does::Sign),
];
const DURABLE: [(Kind, Does); 2] = [(Kind::Durable, Does::Sign), (Kind::DurableWaiting, Does::Sign)];

impl Mix {
    fn kinds(self) -> &'static [(Kind, Does)] {
        match self {
            Self::All => &ALL,
            Self::Signed => &SIGNED,
            Self::Durable => &DURABLE,
        }
    }
}

/// Somebody who calls.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Everybody's is another one.
    pub number: usize,
    /// All servers.
    pub servers: Vec<SocketAddr>,
    /// All wallets' keys.
    pub keys: Arc<[PublicKeyBytes]>,
    /// What everybody was told.
    pub ledger: Arc<Ledger>,
    /// Which server is next, for everybody.
    pub turn: Arc<AtomicUsize>,
}

/// Several messages that are asked for at once, or one.
struct Asked {
    key: PublicKeyBytes,
    intents: Vec<Intent>,
    time: Duration,
}

impl Caller {
    /// Asks one thing after the other until told to stop; every call that is begun is carried through.
    pub async fn ask_on(self, mix: Mix, stop: watch::Receiver<bool>) {
        for n in 0_usize.. {
            if *stop.borrow() {
                return;
            }
            let kinds = mix.kinds();
            let (kind, does) = kinds[(self.number * 5 + n) % kinds.len()];
            self.ask(n, kind, does).await;
            sleep(Duration::from_millis(fastrand::u64(..100))).await;
        }
    }

    async fn ask(&self, n: usize, kind: Kind, does: Does) {
        let count = if matches!(kind, Kind::WaitingBatch | Kind::DurableBatch) { 3 } else { 1 };
        let intents = (0..count).map(|place| Intent {
            name: format!("{kind:?}-{}-{n}-{place}", self.number),
            does,
            after: Duration::from_millis(if n.is_multiple_of(7) { 2000 } else { fastrand::u64(..400) }),
        });
        let time = if matches!(kind, Kind::Expiring) { LITTLE_TIME } else { TIME };
        let key = self.keys[fastrand::usize(..self.keys.len())];
        let asked = Asked { key, intents: intents.collect(), time };
        let is_durable = !matches!(kind, Kind::Waiting | Kind::WaitingBatch);
        for intent in &asked.intents {
            self.ledger.begin(&intent.name, is_durable);
        }
        match kind {
            Kind::Waiting | Kind::WaitingBatch => self.wait(&asked).await,
            Kind::Durable | Kind::DurableBatch | Kind::Expiring => {
                if let Some(ids) = self.submit(&asked, true).await {
                    self.follow_all(&asked, &ids).await;
                }
            }
            Kind::DurableWaiting => {
                self.submit(&asked, false).await;
            }
            Kind::Withdrawn => {
                if let Some(ids) = self.submit(&asked, true).await {
                    sleep(Duration::from_millis(fastrand::u64(..600))).await;
                    for (intent, id) in asked.intents.iter().zip(&ids) {
                        self.withdraw(intent, id).await;
                    }
                }
            }
        }
        for intent in &asked.intents {
            self.ledger.finish(&intent.name);
        }
    }

    /// Makes one call under one idempotency key at two servers at the same moment, and follows what became of it.
    pub async fn race_for_a_key(&self, n: usize) {
        let intent = Intent { name: format!("one-key-{n}"), does: Does::Sign, after: Duration::ZERO };
        let asked = Asked { key: self.keys[n % self.keys.len()], intents: vec![intent], time: TIME };
        let name = &asked.intents[0].name;
        self.ledger.begin(name, true);
        let (one, other) = (self.starting_at(n), self.starting_at(n + 1));
        let (ids, _) = tokio::join!(one.submit(&asked, true), other.submit(&asked, true));
        if let Some(ids) = ids {
            self.follow_all(&asked, &ids).await;
        }
        self.ledger.finish(name);
    }

    /// Has a request signed, withdrawn and out of time at the same moment, each at another server, while somebody waits for it at each.
    pub async fn race_for_an_end(&self, n: usize) {
        // It is shown after 200 ms.
        let after = Duration::from_millis(fastrand::u64(730..810));
        let asked = Asked {
            key: self.keys[n % self.keys.len()],
            intents: vec![Intent { name: format!("one-end-{n}"), does: Does::Sign, after }],
            time: Duration::from_secs(1),
        };
        let intent = &asked.intents[0];
        self.ledger.begin(&intent.name, true);
        let (owner, begun) = (self.starting_at(n), tokio::time::Instant::now());
        if let Some(ids) = owner.submit(&asked, true).await {
            let withdrawn_at = begun + Duration::from_millis(fastrand::u64(960..1040));
            let (one, other) = (self.starting_at(n + 1), self.starting_at(n + 2));
            let withdraw = async {
                tokio::time::sleep_until(withdrawn_at).await;
                one.withdraw(intent, &ids[0]).await;
            };
            tokio::join!(
                withdraw,
                owner.follow(&asked, intent, &ids[0]),
                one.follow(&asked, intent, &ids[0]),
                other.follow(&asked, intent, &ids[0])
            );
        }
        self.ledger.finish(&intent.name);
    }

    /// The same, whose next call is at this server.
    fn starting_at(&self, turn: usize) -> Self {
        Self { turn: Arc::new(AtomicUsize::new(turn)), ..self.clone() }
    }

    /// The next server in turn.
    fn server(&self) -> (usize, SocketAddr) {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % self.servers.len();
        (turn, self.servers[turn])
    }

    /// A call that nothing outlives. It is made again only where it was refused before anybody was asked.
    async fn wait(&self, asked: &Asked) {
        let body = asked.body();
        loop {
            let (turn, server) = self.server();
            let by = format!("a waiting caller at {turn}");
            let patience = asked.time + Duration::from_secs(3);
            match call_within(patience, server, Method::POST, "/v1/send_to_sign", &[], Some(&body)).await {
                Ok((status, answer)) if status == 200 => return self.told_all(&by, asked, &answer),
                Ok((status, answer)) => {
                    let code = answer["code"].as_str().unwrap_or("?");
                    match (status.as_u16(), code) {
                        (503, "draining") => {}
                        (403, "rejected") if asked.intents[0].does == Does::Decline => {
                            return self.ledger.told(&by, &asked.intents[0].name, "rejected", None);
                        }
                        (status, code) => {
                            self.ledger.noticed(format!("{status} {code} of a waiting call"));
                            if !matches!(code, "storage_unavailable" | "signer_not_connected") {
                                self.ledger.told(&by, &asked.intents[0].name, code, None);
                            }
                            return;
                        }
                    }
                }
                Err(Unanswered::Refused) => {}
                Err(Unanswered::Broken) => return self.ledger.noticed("a waiting call broke off"),
            }
            sleep(PAUSE).await;
        }
    }

    /// Has requests taken, under one key however often the call is made; their ids, unless it waited for their end.
    async fn submit(&self, asked: &Asked, is_immediate: bool) -> Option<Vec<String>> {
        let mut body = asked.body();
        body["queue"] = true.into();
        let name = &asked.intents[0].name;
        let mut headers = vec![("idempotency-key", name.as_str())];
        headers.extend(is_immediate.then_some(("prefer", "respond-async")));
        let begun = Instant::now();
        let patience = if is_immediate { PATIENCE } else { asked.time + Duration::from_secs(3) };
        while begun.elapsed() < asked.time + GRACE {
            let (turn, server) = self.server();
            let by = format!("a caller at {turn}");
            match call_within(patience, server, Method::POST, "/v1/send_to_sign", &headers, Some(&body)).await {
                Ok((status, answer)) if status == 202 || status == 200 => {
                    let ids = self.taken(asked, &answer);
                    self.told_all(&by, asked, &answer);
                    return Some(ids);
                }
                Ok((status, answer)) => {
                    let code = answer["code"].as_str().unwrap_or("?");
                    let ended = match code {
                        "rejected" => Some("rejected"),
                        "cancelled" => Some("cancelled"),
                        "timeout" | "delivery_timeout" | "signer_disconnected" => Some("expired"),
                        "draining" => None,
                        code => {
                            self.ledger.noticed(format!("{} {code}, asked again", status.as_u16()));
                            None
                        }
                    };
                    if let Some(ended) = ended {
                        if let Some(id) = answer["request_id"].as_str() {
                            self.ledger.taken(name, id);
                        }
                        self.ledger.told(&by, name, ended, None);
                        if ended == "expired" {
                            self.ledger.noticed_of(name, format!("{} {code} of a durable call", status.as_u16()));
                        }
                        return None;
                    }
                }
                Err(Unanswered::Refused) => {}
                Err(Unanswered::Broken) => self.ledger.noticed("a durable call broke off, asked again"),
            }
            sleep(PAUSE).await;
        }
        self.ledger.lost(name, "nobody took it");
        None
    }

    /// Takes note of which requests these have become.
    fn taken(&self, asked: &Asked, answer: &Value) -> Vec<String> {
        let resources = resources(answer);
        let ids: Vec<_> =
            resources.iter().filter_map(|resource| resource["request_id"].as_str()).map(str::to_owned).collect();
        for (intent, id) in asked.intents.iter().zip(&ids) {
            self.ledger.taken(&intent.name, id);
        }
        ids
    }

    fn told_all(&self, by: &str, asked: &Asked, answer: &Value) {
        for (intent, resource) in asked.intents.iter().zip(resources(answer)) {
            // A waiting call's own answer has no state: it is a signature.
            if resource["state"].is_string() {
                self.seen(by, &asked.key, intent, resource);
            } else {
                self.check(&asked.key, intent, resource);
                self.ledger.told(by, &intent.name, "signed", resource["times"]["ended_ms"].as_u64());
            }
        }
    }

    fn seen(&self, by: &str, key: &PublicKeyBytes, intent: &Intent, resource: &Value) -> bool {
        if resource["state"] == "signed" {
            self.check(key, intent, resource);
        }
        self.ledger.seen(by, &intent.name, resource)
    }

    fn check(&self, key: &PublicKeyBytes, intent: &Intent, resource: &Value) {
        let signature = resource["signature"].as_str().and_then(|text| text.parse::<Signature>().ok());
        let message = intent.message().into_bytes().try_into().unwrap();
        let key = PublicKey::admit(*key).unwrap();
        if signature.is_none_or(|signature| Signable::Message(&message).verify(&key, &signature).is_err()) {
            self.ledger.wrong(&intent.name, "a signature that does not hold");
        }
    }

    async fn follow_all(&self, asked: &Asked, ids: &[String]) {
        for (intent, id) in asked.intents.iter().zip(ids) {
            self.follow(asked, intent, id).await;
        }
    }

    /// Looks at a request, at one server after the other, until it has ended.
    async fn follow(&self, asked: &Asked, intent: &Intent, id: &str) {
        let begun = Instant::now();
        let path = format!("/v1/requests/{id}?wait=5");
        while begun.elapsed() < asked.time + GRACE {
            let (turn, server) = self.server();
            match call_within(PATIENCE, server, Method::GET, &path, &[], None).await {
                Ok((status, resource)) if status == 200 => {
                    if self.seen(&format!("a poll at {turn}"), &asked.key, intent, &resource) {
                        if resource["state"] == "expired" && intent.does != Does::Nothing && asked.time == TIME {
                            let code = resource["error"]["code"].as_str().unwrap_or("?");
                            self.ledger.noticed_of(&intent.name, format!("{code} of a durable request"));
                        }
                        return;
                    }
                }
                Ok((status, _)) if status == 404 => return self.ledger.lost(&intent.name, "forgotten"),
                Ok((status, problem)) => {
                    let code = problem["code"].as_str().unwrap_or("?");
                    if code != "draining" {
                        self.ledger.noticed(format!("{} {code} of a poll, asked again", status.as_u16()));
                    }
                    sleep(PAUSE).await;
                }
                Err(Unanswered::Refused) => sleep(PAUSE).await,
                Err(Unanswered::Broken) => self.ledger.noticed("a poll broke off, asked again"),
            }
        }
        self.ledger.lost(&intent.name, "comes to no end");
    }

    /// Withdraws a request, at one server after the other, until it has ended.
    async fn withdraw(&self, intent: &Intent, id: &str) {
        let begun = Instant::now();
        let path = format!("/v1/requests/{id}");
        while begun.elapsed() < TIME + GRACE {
            let (turn, server) = self.server();
            match call_within(PATIENCE + PATIENCE, server, Method::DELETE, &path, &[], None).await {
                Ok((status, resource)) if status == 200 => {
                    if self.ledger.seen(&format!("who withdrew at {turn}"), &intent.name, &resource) {
                        return;
                    }
                    self.ledger.noticed("still open when withdrawn, asked again");
                }
                Ok((status, _)) if status == 404 => return self.ledger.lost(&intent.name, "forgotten"),
                Ok((status, problem)) => {
                    let code = problem["code"].as_str().unwrap_or("?");
                    if code != "draining" {
                        self.ledger.noticed(format!("{} {code} of a withdrawal, asked again", status.as_u16()));
                    }
                    sleep(PAUSE).await;
                }
                Err(Unanswered::Refused) => sleep(PAUSE).await,
                Err(Unanswered::Broken) => self.ledger.noticed("a withdrawal broke off, asked again"),
            }
        }
        self.ledger.lost(&intent.name, "cannot be withdrawn");
    }
}

impl Asked {
    fn body(&self) -> Value {
        let messages: Vec<_> = self.intents.iter().map(|intent| STANDARD.encode(intent.message())).collect();
        let mut body = json!({
            "public_key": self.key.to_string(),
            "timeout_ms": u64::try_from(self.time.as_millis()).unwrap(),
        });
        match &messages[..] {
            [message] => body["message"] = message.as_str().into(),
            messages => body["messages"] = messages.into(),
        }
        body
    }
}

/// One or several.
fn resources(answer: &Value) -> Vec<&Value> {
    match answer["requests"].as_array() {
        Some(several) => several.iter().collect(),
        None => vec![answer],
    }
}

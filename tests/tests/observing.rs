//! What operators see: metrics, alert rules, the dashboard, each compared with the source, the documents, and Prometheus itself.

use countersign_protocol::{AckOutcome, ErrorCode, WireName};
use countersign_server::http::Tokens;
use countersign_tests::{
    Backend, ServerProcess, TestServer, WebhookReceiver,
    documents::{between, codes_of_requests, codes_of_the_api, read, table, words_after},
    postgres::Cluster,
    prometheus::{Prometheus, configure, promtool},
    within,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    net::SocketAddr,
    time::{Duration, Instant},
};

/// Somebody who is not there.
const KEY: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

const PAGE: &str = "docs/operating/observing.md";
const RULES: &str = "packaging/prometheus/countersign.rules.yml";
const RULE_TESTS: &str = "tests/observing/countersign.rules.test.yml";
const DASHBOARD: &str = "packaging/grafana/countersign.json";

/// The names and kinds of what a server exposes.
fn families(text: &str) -> BTreeSet<(String, String)> {
    let families = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let sampled = |(name, kind): (&str, &str)| match kind {
        "counter" => (format!("{name}_total"), kind.to_owned()),
        "info" => (format!("{name}_info"), kind.to_owned()),
        _ => (name.to_owned(), kind.to_owned()),
    };
    families.map(sampled).collect()
}

/// The value of a sample, by its name and labels as they are exposed.
fn sample(text: &str, name: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

/// The values that a label has in a family, each with its sample.
fn labelled(text: &str, family: &str, label: &str) -> Vec<(String, String)> {
    let labelled = |line: &str| {
        let (value, sample) = line.strip_prefix(family)?.strip_prefix(&format!("{{{label}=\""))?.split_once("\"} ")?;
        Some((value.to_owned(), sample.to_owned()))
    };
    text.lines().filter_map(labelled).collect()
}

fn documented() -> Vec<Vec<String>> {
    let heads =
        ["| metric | type |", "| metric, with a database |", "| metric, with TLS |", "| metric, of the process |"];
    heads.into_iter().flat_map(|head| table(PAGE, head)).collect()
}

#[tokio::test]
async fn the_metrics_are_those_exposed() {
    let server = TestServer::durable(|_| {}).await;
    let mut backend = server.backend().await;
    let text = backend.get("/metrics").await.text;
    let mut rows = documented();
    if !text.contains("countersign_database_connected") {
        let with_a_database = table(PAGE, "| metric, with a database |");
        rows.retain(|row| !with_a_database.contains(row));
    }
    // tests/reload.rs has a certificate.
    let with_tls = table(PAGE, "| metric, with TLS |");
    rows.retain(|row| !with_tls.contains(row));
    for row in rows.iter().filter(|row| !row[2].is_empty()) {
        let labelled = |line: &str| line.starts_with(&row[0]) && line.contains(&format!("{}=\"", row[2]));
        assert!(text.lines().any(labelled), "{} has no label {}", row[0], row[2]);
    }
    assert_eq!(families(&text), rows.into_iter().map(|row| (row[0].clone(), row[1].clone())).collect());
    server.finish(backend).await;
}

/// A first count of what was not there before is no increase.
#[tokio::test]
async fn every_value_of_a_label_is_there_before_anything_happens() {
    let server = TestServer::durable(|_| {}).await;
    let mut backend = server.backend().await;
    let text = backend.get("/metrics").await.text;
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<BTreeSet<_>>();
    let scopes: BTreeSet<_> = [
        ("server/src/http/api/live.rs", "KeyedRate::new("),
        ("server/src/http/listen/connection_limit.rs", "Err(LimitReached("),
        ("server/src/connection/conversation.rs", "rate_limited("),
    ]
    .into_iter()
    .flat_map(|(file, before)| words_after(&read(file), before))
    .collect();
    let webhook = read("server/src/http/webhook/worker.rs");
    let actions = read("server/src/http/admin/actions.rs");
    let mut outcomes = codes_of_requests();
    outcomes.insert("signed".into());
    for (family, label, expected) in [
        ("countersign_requests_total", "outcome", outcomes),
        (
            "countersign_answers_total",
            "outcome",
            names(&AckOutcome::ALL.iter().map(|name| name.as_str()).collect::<Vec<_>>()),
        ),
        (
            "countersign_protocol_errors_total",
            "code",
            names(&ErrorCode::ALL.iter().map(|name| name.as_str()).collect::<Vec<_>>()),
        ),
        ("countersign_api_errors_total", "code", codes_of_the_api()),
        ("countersign_rate_limited_total", "scope", scopes),
        (
            "countersign_webhooks_total",
            "outcome",
            words_after(between(&webhook, "fn as_str(", "\n    }").unwrap(), "=> "),
        ),
        (
            "countersign_admin_actions_total",
            "action",
            words_after(between(&actions, "fn as_str(", "\n    }").unwrap(), "=> "),
        ),
        ("countersign_request_duration_seconds_count", "outcome", names(&["signed", "other"])),
        ("countersign_requester_requests_total", "requester", names(&["other"])),
    ] {
        let found = labelled(&text, family, label);
        assert!(found.iter().all(|(_, sample)| sample == "0"), "{family}: {found:?}");
        assert_eq!(found.into_iter().map(|(value, _)| value).collect::<BTreeSet<_>>(), expected, "{family}");
    }
    server.finish(backend).await;
}

#[tokio::test]
async fn gauges_are_right_whatever_happened_before() {
    let mut hook = WebhookReceiver::start(&[500, 500]).await;
    let retries = vec![Duration::from_hours(1); 2];
    let server = TestServer::telling(retries, |settings| settings.webhook_target = vec![hook.url()]).await;
    let mut wallet = server.wallet(1).await;
    let mut backend = server.backend().await;
    let key = wallet.public_key().to_string();
    let later = [("prefer", "respond-async")];
    let told = json!({ "public_key": key, "message": "aGk=", "webhook": hook.url() });
    assert_eq!(backend.post_with(&told, &later).await.status, 202);
    wallet.sign_next().await;
    hook.next().await;
    let open = json!({ "public_key": key, "message": "aG8=", "queue": true });
    let reply = backend.post_with(&open, &later).await;
    assert_eq!(reply.status, 202);
    wallet.expect_request().await;

    let expected = |introduced: f64| {
        [
            ("countersign_introduced_connections", introduced),
            ("countersign_connections", introduced),
            ("countersign_pending_requests", 1.0),
            ("countersign_requester_open_requests{requester=\"other\"}", 1.0),
            ("countersign_webhook_backlog", 1.0),
            ("countersign_store_writes_waiting", 0.0),
        ]
    };
    until(&server, &expected(1.0)).await;
    let text = backend.get("/metrics").await.text;
    assert!(sample(&text, "countersign_tcp_connections") >= Some(2.0));
    assert!(sample(&text, "countersign_store_used_bytes") > Some(0.0));
    assert_eq!(sample(&text, "countersign_store_limit_bytes"), Some(1024.0 * 1024.0 * 1024.0));
    // Its length and where it is do not matter: both are.
    let ages = ["countersign_oldest_request_age_seconds", "countersign_webhook_backlog_age_seconds"];
    for age in ages {
        assert!(sample(&text, age) > Some(0.0) && sample(&text, age) < Some(60.0), "{text}");
    }
    drop(wallet);
    until(&server, &expected(0.0)).await;
    drop(backend);

    let server = server.restart().await;
    until(&server, &expected(0.0)).await;
    let mut wallet = server.wallet(1).await;
    wallet.sign_next().await;
    let mut backend = server.backend().await;
    let nothing = [("countersign_pending_requests", 0.0), ("countersign_oldest_request_age_seconds", 0.0)];
    until(&server, &nothing).await;
    let text = backend.get("/metrics").await.text;
    assert_eq!(sample(&text, "countersign_requests_total{outcome=\"signed\"}"), Some(1.0), "since this start");
    let id = reply.json["request_id"].as_str().unwrap();
    assert_eq!(backend.get(&format!("/v1/requests/{id}")).await.json["state"], "signed");
    server.finish((wallet, backend)).await;
}

async fn until(server: &TestServer, expected: &[(&str, f64)]) {
    until_scraped(server.address, expected).await;
}

/// Scrapes until all of these are so.
async fn until_scraped(address: SocketAddr, expected: &[(&str, f64)]) {
    let mut backend = Backend::connect(address).await;
    within("the gauges", async {
        loop {
            let text = backend.get("/metrics").await.text;
            if expected.iter().all(|(name, value)| sample(&text, name) == Some(*value)) {
                return;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_requester_has_its_own_counts() {
    let [(token, bank), (_, shop)] =
        ["bank", "shop"].map(|id| Tokens::generate(&format!("The {id}"), Some(id)).unwrap());
    let server = TestServer::with(|settings| settings.token = vec![bank, shop]).await;
    let mut wallet = server.wallet(1).await;
    let mut backend = server.backend().await.with_token(&token);
    let key = wallet.public_key();
    let (reply, _) = tokio::join!(backend.ask(&key, b"hello"), wallet.sign_next());
    assert_eq!(reply.status, 200);
    assert_eq!(backend.ask(&key, b"").await.status, 400);
    let mut stranger = server.backend().await.with_token("nobody");
    assert_eq!(stranger.ask(&key, b"x").await.status, 401);
    let text = backend.get("/metrics").await.text;
    let of = |family: &str| labelled(&text, &format!("countersign_requester_{family}"), "requester");
    let counts = |counts: [(&str, &str); 3]| {
        counts.map(|(requester, count)| (requester.to_owned(), count.to_owned())).into_iter().collect::<BTreeSet<_>>()
    };
    assert_eq!(
        of("requests_total").into_iter().collect::<BTreeSet<_>>(),
        counts([("bank", "2"), ("shop", "0"), ("other", "0")])
    );
    assert_eq!(
        of("refusals_total").into_iter().collect::<BTreeSet<_>>(),
        counts([("bank", "1"), ("shop", "0"), ("other", "0")])
    );
    assert!(!text.contains("The bank"), "ids, not names");
    server.finish((wallet, backend, stranger)).await;
}

/// The lines of each alert, by its name.
fn alerts() -> Vec<(String, String)> {
    let rules = read(RULES);
    let alerts = rules.split("- alert: ").skip(1);
    alerts.map(|alert| alert.split_once('\n').map(|(name, rest)| (name.to_owned(), rest.to_owned())).unwrap()).collect()
}

#[test]
fn every_alert_is_explained_and_tested() {
    let severity = |rule: &str| between(rule, "severity: ", "\n").unwrap().to_owned();
    let rules: BTreeSet<_> = alerts().iter().map(|(name, rule)| (name.clone(), severity(rule))).collect();
    let rows = table(PAGE, "| alert | severity |");
    assert!(rows.iter().all(|row| !row[2].is_empty() && !row[3].is_empty()));
    assert_eq!(rows.into_iter().map(|row| (row[0].clone(), row[1].clone())).collect::<BTreeSet<_>>(), rules);
    let tests = read(RULE_TESTS);
    for (name, rule) in alerts() {
        for part in ["expr: ", "for: ", "summary: ", "runbook: docs/operating/observing.md#alerts\n"] {
            assert!(rule.contains(part), "{name} has no {part}");
        }
        let asked = format!("\"{name}\", alertstate");
        let cases: Vec<_> = tests.split("- expr: ").filter(|case| case.contains(&asked)).collect();
        let fires = cases.iter().filter(|case| case.lines().take(3).any(|line| line.contains("exp_samples"))).count();
        assert!(fires > 0 && fires < cases.len(), "{name}: {fires} of {} cases fire", cases.len());
    }
}

/// The expressions of the dashboard's panels, each with its panel's title.
fn expressions() -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(&read(DASHBOARD)).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().filter_map(|panel| Some((panel, panel["targets"].as_array()?)));
    targets
        .flat_map(|(panel, targets)| {
            let title = panel["title"].as_str().unwrap();
            targets.iter().map(move |target| (title.to_owned(), target["expr"].as_str().unwrap().to_owned()))
        })
        .collect()
}

/// What is asked for is what is exposed, by every rule and every panel.
#[test]
fn rules_and_dashboard_ask_for_metrics_that_there_are() {
    let known: BTreeSet<_> = documented().into_iter().map(|row| row[0].clone()).collect();
    let rules = alerts().into_iter().map(|(name, rule)| (name, between(&rule, "expr: ", "for: ").unwrap().to_owned()));
    for (place, expression) in rules.chain(expressions()) {
        let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let metrics = words.filter(|word| word.starts_with("countersign_") || word.starts_with("process_"));
        for metric in metrics {
            let family = ["_bucket", "_sum", "_count"].into_iter().find_map(|end| metric.strip_suffix(end));
            assert!(known.contains(metric) || family.is_some_and(|name| known.contains(name)), "{place}: {metric}");
        }
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: make observing-tests"]
async fn a_database_that_hangs_keeps_no_scrape_waiting() {
    let cluster = Cluster::start(&["fsync=off"]).await;
    let server = ServerProcess::start(&[&format!("--database-url={}", cluster.url("postgres")), "--log=error"]).await;
    let mut backend = Backend::connect(server.address).await;
    let open = json!({ "public_key": KEY, "message": "aGk=", "queue": true });
    assert_eq!(backend.post_with(&open, &[("prefer", "respond-async")]).await.status, 202);
    let scrape = async |backend: &mut Backend| backend.get("/metrics").await.text;
    until_scraped(server.address, &[("countersign_database_connected", 1.0)]).await;
    let used = loop {
        match sample(&scrape(&mut backend).await, "countersign_store_used_bytes") {
            Some(used) if used > 0.0 => break used,
            Some(_) | None => {}
        }
    };
    cluster.signal("STOP");
    within("the end of the connection", async {
        loop {
            let began = Instant::now();
            let text = scrape(&mut backend).await;
            assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
            assert_eq!(sample(&text, "countersign_store_used_bytes"), Some(used), "what was last known");
            assert_eq!(sample(&text, "countersign_pending_requests"), Some(1.0));
            if sample(&text, "countersign_database_connected") == Some(0.0)
                && sample(&text, "countersign_lease_age_seconds") > Some(5.0)
            {
                return;
            }
        }
    })
    .await;
    cluster.signal("CONT");
    until_scraped(server.address, &[("countersign_database_connected", 1.0), ("countersign_store_failed", 0.0)]).await;
    server.kill().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: make observing-tests"]
async fn gauges_are_right_after_a_failover() {
    let cluster = Cluster::start(&["fsync=off"]).await;
    let start =
        async || ServerProcess::start(&[&format!("--database-url={}", cluster.url("postgres")), "--log=error"]).await;
    let (first, second) = (start().await, start().await);
    for server in [&first, &second] {
        until_scraped(server.address, &[("countersign_other_nodes", 1.0)]).await;
    }
    let open = json!({ "public_key": KEY, "message": "aGk=", "queue": true });
    let mut backend = Backend::connect(first.address).await;
    assert_eq!(backend.post_with(&open, &[("prefer", "respond-async")]).await.status, 202);
    let other = "countersign_requester_open_requests{requester=\"other\"}";
    until_scraped(second.address, &[("countersign_pending_requests", 0.0), (other, 0.0)]).await;
    first.kill().await;
    let taken_over = [
        ("countersign_other_nodes", 0.0),
        ("countersign_requests_taken_over_total", 1.0),
        ("countersign_pending_requests", 1.0),
        (other, 1.0),
        ("countersign_database_connected", 1.0),
    ];
    until_scraped(second.address, &taken_over).await;
    second.kill().await;
}

#[tokio::test]
#[ignore = "needs Prometheus: make observing-tests"]
async fn promtool_finds_nothing_wrong() {
    let folder = tempfile::tempdir().unwrap();
    configure(folder.path());
    let configuration = folder.path().join("prometheus.yml");
    promtool(&["check", "config", configuration.to_str().unwrap()], "").await;
    promtool(&["check", "rules", RULES], "").await;
    promtool(&["test", "rules", RULE_TESTS], "").await;

    let server = TestServer::durable(|_| {}).await;
    let mut backend = server.backend().await;
    let reply = backend.get_with("/metrics", &[("accept", "text/plain")]).await;
    assert_eq!(reply.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    assert!(reply.text.contains("# TYPE countersign_requests_total counter\n"), "{}", reply.text);
    // It says what it does not like, and ends well all the same where that is a matter of style.
    assert_eq!(promtool(&["check", "metrics"], &reply.text).await, "");
    server.finish(backend).await;
}

/// The panels' expressions as the dashboard would ask them, for this one server.
fn asked(expression: &str) -> String {
    expression.replace("$__rate_interval", "10s").replace("$job", "countersign").replace("$instance", ".*")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Prometheus: make observing-tests"]
async fn prometheus_scrapes_a_server_and_every_panel_has_data() {
    let hook = WebhookReceiver::start(&[]).await;
    let server = TestServer::durable(|settings| settings.webhook_target = vec![hook.url()]).await;
    let prometheus = Prometheus::scraping(server.address).await;
    let mut wallet = server.wallet(1).await;
    let key = wallet.public_key();
    let mut backend = server.backend().await;
    let told = json!({ "public_key": key.to_string(), "message": "aGk=", "webhook": hook.url() });
    let load = async {
        loop {
            let (reply, _) = tokio::join!(backend.ask(&key, b"hello"), wallet.sign_next());
            assert_eq!(reply.status, 200);
            let (reply, _) = tokio::join!(backend.post(&told), wallet.sign_next());
            assert_eq!(reply.status, 200);
            assert_eq!(backend.ask(&key, b"").await.status, 400);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let look = async {
        until_some(&prometheus, "up{job=\"countersign\"} == 1").await;
        until_some(&prometheus, "countersign_requests_total{outcome=\"signed\"} > 0").await;
        let with_a_database = !prometheus.query("countersign_database_connected").await.is_empty();
        let of_a_database: Vec<_> =
            table(PAGE, "| metric, with a database |").into_iter().map(|row| row[0].clone()).collect();
        let panels = expressions();
        assert!(panels.len() > 30);
        for (title, expression) in panels {
            if with_a_database || !of_a_database.iter().any(|metric| expression.contains(metric)) {
                until_some(&prometheus, &asked(&expression)).await;
            } else {
                assert!(prometheus.query(&asked(&expression)).await.is_empty(), "{title}");
            }
        }
        let target = prometheus.get("/api/v1/targets").await["activeTargets"][0].clone();
        assert_eq!((&target["health"], &target["lastError"]), (&json!("up"), &json!("")));
        let groups = prometheus.get("/api/v1/rules").await["groups"].clone();
        let rules = groups[0]["rules"].as_array().unwrap();
        assert_eq!(rules.len(), alerts().len());
        for rule in rules {
            assert_eq!((&rule["health"], &rule["state"]), (&json!("ok"), &json!("inactive")), "{rule}");
        }
    };
    tokio::select! {
        () = look => {}
        () = load => {}
    }
    server.stop().await.unwrap();
}

/// Asks until there is an answer: a rate needs two scrapes.
async fn until_some(prometheus: &Prometheus, expression: &str) {
    within(expression, async {
        while prometheus.query(expression).await.is_empty() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
}

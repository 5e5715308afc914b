//! The documents say what the program does: each table here is compared with its source, in both directions.

use countersign_server::http::{Settings, Tokens};
use countersign_tests::{
    Hook, ServerProcess, TestServer,
    documents::{blocks, read, repository},
    within,
};
use hyper::Method;
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    num::NonZeroU32,
    path::{Path, PathBuf},
};

/// The environment variable in a flag's help; the value of one that is secret is not shown there.
fn variable(help: &str) -> String {
    let name = between(help, "[env: ", "]").unwrap();
    name.split('=').next().unwrap().to_owned()
}

/// The rows of the table with this head, each as its cells without code marks.
fn table(document: &str, head: &str) -> Vec<Vec<String>> {
    let text = read(document);
    let rows = text.lines().skip_while(|line| !line.starts_with(head)).skip(2).take_while(|line| line.starts_with('|'));
    let cells = |row: &str| row.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect();
    let rows: Vec<_> = rows.map(cells).collect();
    assert!(!rows.is_empty(), "{document} has no table {head}");
    rows
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    text.split_once(before)?.1.split_once(after).map(|(found, _)| found)
}

#[tokio::test]
async fn the_settings_are_those_of_the_help() {
    let output = within("the help", ServerProcess::command(&["--help"]).output()).await.unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let flags = help.split("\n      --").skip(1).filter(|flag| flag.contains("[env: "));
    let helped: BTreeMap<_, _> = flags
        .map(|text| {
            let (head, rest) = text.split_once('\n').unwrap();
            let default = between(rest, "[default: ", "]").map(str::to_owned);
            (format!("--{}", head.replace(['<', '>'], "")), (variable(rest), default))
        })
        .collect();
    let rows = table("docs/operating/settings.md", "| flag | environment |");
    let documented: BTreeMap<_, _> = rows
        .iter()
        .map(|row| {
            // The help gives no default where there is none, or where it goes without saying.
            let default = Some(row[3].clone()).filter(|default| default != "none" && default != "false");
            (row[0].clone(), (row[1].clone(), default))
        })
        .collect();
    assert_eq!(helped, documented);
}

#[test]
fn the_example_file_has_every_setting_and_is_read() {
    let [example]: [String; 1] = blocks("docs/operating/settings.md", "toml").try_into().unwrap();
    let path = std::env::temp_dir().join(format!("countersign-documents-{}.toml", std::process::id()));
    fs::write(&path, &example).unwrap();
    let settings = Settings::from_file(&path);
    fs::remove_file(&path).unwrap();
    Tokens::from_entries(&settings.unwrap().token).unwrap();

    let set: BTreeSet<_> = example
        .lines()
        .take_while(|line| *line != "[[token]]")
        // What excludes another stands there as a comment.
        .filter_map(|line| line.trim_start_matches("# ").split_once(" = ").map(|(key, _)| key.trim().to_owned()))
        .collect();
    let rows = table("docs/operating/settings.md", "| flag | environment |");
    let keys: BTreeSet<_> = rows.iter().map(|row| row[2].clone()).filter(|key| !key.is_empty()).collect();
    assert_eq!(set, keys);
    for row in rows.iter().filter(|row| !row[2].is_empty()) {
        let flag = row[0].split([' ', '[']).next().unwrap().trim_start_matches("--");
        assert_eq!(flag.replace('-', "_"), row[2], "a setting has one name");
    }
}

#[tokio::test]
async fn the_metrics_are_those_exposed() {
    let mut hook = Hook::start(&[]).await;
    let server = TestServer::durable(|settings| {
        settings.requests_per_second = NonZeroU32::new(1);
        settings.webhook_target = vec![hook.url()];
    })
    .await;
    let mut wallet = server.wallet(1).await;
    let mut backend = server.backend().await;
    // A family with labels is exposed from its first count on: count one of each.
    let key = wallet.public_key();
    let (reply, _) = tokio::join!(backend.ask(&key, b"hello"), wallet.sign_next());
    assert_eq!(reply.status, 200);
    let told = json!({ "public_key": key.to_string(), "message": "aGk=", "webhook": hook.url() });
    let (reply, _) = tokio::join!(backend.post(&told), wallet.sign_next());
    assert_eq!(reply.status, 200);
    hook.next().await;
    while !backend.get("/metrics").await.text.contains("countersign_webhooks_total{") {}
    wallet.send_text("{").await;
    wallet.expect_error().await;
    while backend.ask(&[1; 32].into(), b"x").await.code() != (429, "rate_limited") {}

    let text = backend.get("/metrics").await.text;
    let families = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let sampled = |(name, kind): (&str, &str)| match kind {
        "counter" => (format!("{name}_total"), kind.to_owned()),
        _ => (name.to_owned(), kind.to_owned()),
    };
    let exposed: BTreeSet<_> = families.map(sampled).collect();
    let rows = table("docs/operating/observing.md", "| metric | type |");
    for row in rows.iter().filter(|row| !row[2].is_empty()) {
        let labelled = |line: &str| line.starts_with(&row[0]) && line.contains(&format!("{{{}=\"", row[2]));
        assert!(text.lines().any(labelled), "{} has no label {}", row[0], row[2]);
    }
    assert_eq!(exposed, rows.into_iter().map(|row| (row[0].clone(), row[1].clone())).collect());
    server.finish((wallet, backend)).await;
}

/// The files below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Every word that stands as a code in the server's source: the codes of ends, those of `SigningError::code`, and those of the problems
/// that the HTTP part makes itself, which follow a status.
fn codes_of_the_source() -> BTreeSet<String> {
    let word = |text: &str| text.strip_prefix('"')?.split_once('"').map(|(word, _)| word.to_owned());
    let errors = read("server/src/error.rs");
    let of_errors = between(&errors, "fn code(", "\n    }").unwrap().split("=> ").skip(1);
    let mut codes: BTreeSet<_> = of_errors.filter_map(word).collect();
    let record = read("server/src/record.rs");
    let of_ends = between(&record, "mod end_code {", "\n}").unwrap().split("&str = ").skip(1);
    codes.extend(of_ends.filter_map(word).filter(|code| code != "signed"));
    for file in files(&repository().join("server/src/http")) {
        let text = fs::read_to_string(file).unwrap();
        let after_status =
            text.split("StatusCode::").skip(1).filter_map(|text| text.split_once(',')).map(|(_, rest)| rest);
        codes.extend(after_status.filter_map(|rest| word(rest.trim_start())));
    }
    codes
}

#[test]
fn the_errors_are_those_of_the_source() {
    let codes = codes_of_the_source();
    let rows = table("docs/http-api.md", "| status | `code` |");
    let documented: Vec<_> = rows.iter().map(|row| row[1].clone()).collect();
    assert_eq!(documented.len(), codes.len(), "each code once: {documented:?}");
    assert_eq!(documented.into_iter().collect::<BTreeSet<_>>(), codes);
}

#[tokio::test]
async fn an_error_has_the_status_that_is_documented() {
    let server = TestServer::start().await;
    let mut wallet = server.wallet(2).await;
    let (held, stranger) = (wallet.public_key(), "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    let key = held.to_string();
    let mut replies = Vec::new();
    for body in [
        json!({}),
        json!({ "public_key": "x", "message": "aGk=" }),
        json!({ "public_key": key, "message": "" }),
        json!({ "public_key": key, "message": "/2NvdW50ZXJzaWduLw==" }),
        json!({ "public_key": key, "message": "aGk=", "purpose": "" }),
        json!({ "public_key": key, "message": "aGk=", "timeout_ms": 1 }),
        json!({ "public_key": stranger, "message": "aGk=" }),
        json!({ "public_key": key, "message": "A".repeat(100_000) }),
    ] {
        replies.push(server.backend().await.post(&body).await);
    }
    let mut backend = server.backend().await;
    replies.push(backend.post_text("text/plain", "").await);
    replies.push(backend.get("/nothing").await);
    replies.push(backend.get("/ws").await);
    replies.push(backend.call(Method::DELETE, "/v1/send_to_sign").await);
    replies.push(server.backend().await.with_host("elsewhere.example").ask(&held, b"x").await);
    let (reply, ()) = tokio::join!(backend.ask(&held, b"x"), async {
        let request = wallet.expect_request().await;
        let other = b"y".to_vec().try_into().unwrap();
        wallet.send(&wallet.answer_with(request.request_id, &other)).await;
        wallet.expect_ack(request.request_id).await;
    });
    replies.push(reply);
    let brief = json!({ "public_key": key, "message": "aGk=", "timeout_ms": 1000 });
    replies.push(backend.post(&brief).await);
    wallet.expect_request().await;
    wallet.close().await;

    let rows = table("docs/http-api.md", "| status | `code` |");
    for reply in replies {
        let (status, code) = reply.code();
        assert!(rows.iter().any(|row| row[0] == status.to_string() && row[1] == code), "{status} {code:?}");
    }
    server.finish(backend).await;
}

#[test]
fn the_embedding_guide_quotes_the_application_that_is_tested() {
    let application = read("tests/src/actix.rs");
    let quoted = blocks("docs/embedding.md", "rust");
    assert!(quoted.len() >= 5);
    for block in quoted {
        assert!(application.contains(&block), "not in tests/src/actix.rs:\n{block}");
    }
}

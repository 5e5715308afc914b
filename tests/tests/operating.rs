//! Every command of docs/operating is typed here, but for where things are.

use countersign_tests::{
    Backend, ServerProcess, TestWallet, WebhookReceiver,
    documents::{blocks, repository},
    tls::Authority,
    within,
};
use serde_json::json;
use std::{
    fs,
    path::Path,
    process::{Output, Stdio},
};
use tokio::process::Command;

/// The one page that is a way from first to last, and typed so.
const GUIDE: &str = "docs/operating/production.md";

/// The commands of all other pages.
fn commands() -> Vec<String> {
    let folder = "docs/operating";
    let pages = fs::read_dir(repository().join(folder)).unwrap().map(|page| page.unwrap().file_name());
    let pages = pages.filter(|page| !GUIDE.ends_with(page.to_str().unwrap()));
    pages.flat_map(|page| blocks(&format!("{folder}/{}", page.to_str().unwrap()), "sh")).collect()
}

/// The documented command that contains this, and no other does.
fn documented(part: &str) -> String {
    let [command]: [String; 1] = commands()
        .into_iter()
        .filter(|block| block.contains(part))
        .collect::<Vec<_>>()
        .try_into()
        .unwrap_or_else(|found: Vec<_>| panic!("{} commands with {part}", found.len()));
    command
}

/// Puts what is here in the place of what stands in the document.
fn here(command: &str, places: &[(&str, &Path)]) -> String {
    places.iter().fold(command.to_owned(), |command, (documented, here)| {
        assert!(command.contains(documented), "{documented} in {command}");
        command.replace(documented, here.to_str().unwrap())
    })
}

/// A shell that finds `countersign`.
fn shell(command: &str) -> Command {
    let folder = ServerProcess::binary().parent().unwrap().to_owned();
    let mut shell = Command::new("sh");
    shell
        .args(["-ec", command])
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", folder.display()))
        .kill_on_drop(true);
    shell
}

async fn run(command: &str) -> Output {
    let output = within(command, shell(command).output()).await.unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Which of the tests below types each.
#[test]
fn no_command_is_left_out() {
    // The first one in tests/postgres.rs, the second line in tests/restore.rs.
    let typed = [
        "COUNTERSIGN_DATABASE_URL",
        "pg_dump ",
        "pg_restore ",
        "psql ",
        "pg_basebackup ",
        "recovery.signal",
        "token \"Example",
        "token --id",
        "--data-dir /var/lib/countersign backup ",
        "backup --verify",
        "cp -rp",
        "--trusted-proxy",
        "ulimit -n",
        "jq -r --arg",
        "audit show /var",
        "curl -fsS",
        "audit verify",
        "set -eu",
        "check --config",
        "reload --config countersign.toml",
        "RENEWED_LINEAGE",
        "token add",
        "token list",
        "token rotate",
        "token revoke",
        "node-a",
        "admin status",
        "admin cancel",
        "admin block ",
        "admin purge",
        "token --admin",
        "admin webhooks",
        "umask 077; echo",
        "umask 077; {",
        "sed -i 1q",
        "openssl genpkey",
        "countersign health",
    ];
    // In tests/debian.rs, in tests/packages.rs, and in tests/manifests.
    let typed_elsewhere = ["apt-get install", "cargo install", "secrets.sh"];
    // They need systemd as the first process. What systemd then does with a socket, tests/service_manager.rs does in its place.
    let not_typed = ["systemctl enable --now", "systemctl restart"];
    // They need an engine, or a cluster. What these would read, tests/manifests and tests/image.rs read and run.
    let not_typed_either = ["docker load", "docker compose", "kubectl apply"];
    let typed = [&typed[..], &typed_elsewhere, &not_typed, &not_typed_either].concat();
    for command in commands() {
        assert_eq!(typed.iter().filter(|part| command.contains(*part)).count(), 1, "{command}");
    }
}

#[tokio::test]
async fn a_token_is_made_put_into_the_file_and_known() {
    let output = run(&documented("token \"Example")).await;
    let said = String::from_utf8(output.stdout).unwrap();
    let token = said.lines().find_map(|line| line.trim().strip_prefix("cs_")).map(|rest| format!("cs_{rest}")).unwrap();
    let table = said.split_once("[[token]]").map(|(_, rest)| format!("[[token]]{rest}")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("countersign.toml");
    fs::write(&file, table).unwrap();

    // Another one for the same requester.
    let output = run(&documented("token --id")).await;
    assert!(String::from_utf8(output.stdout).unwrap().contains("id = \"8f2c61d09b7e4a35\"\nname = \"Example Bank\"\n"));

    // The server behind a proxy, and with more file descriptors, each as documented.
    for part in ["--trusted-proxy", "ulimit -n"] {
        let command = here(documented(part).trim(), &[("countersign.toml", &file)]);
        let command = command.replace("--listen 127.0.0.1:8080 ", "");
        let mut shell = shell(&format!("{command} --listen 127.0.0.1:0"));
        shell.stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
        let mut child = shell.spawn().unwrap();
        let mut lines = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(child.stdout.take().unwrap()));
        let line = within("the first line", lines.next_line()).await.unwrap().expect("it listens");
        let address = line.rsplit('/').next().unwrap().parse().unwrap();
        let mut backend = Backend::connect(address).await;
        let path = "/v1/signers/11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        assert_eq!(backend.get(path).await.code(), (401, "unauthorized"));
        assert_eq!(backend.with_token(&token).get(path).await.status, 200);
        // The shell's child as well.
        let group = format!("-{}", child.id().unwrap());
        let killed = Command::new("kill").args(["-KILL", "--", &group]).status().await.unwrap();
        assert!(killed.success());
        child.wait().await.unwrap();
    }
}

/// Every command of it in its order, with the server started as its unit says. tests/debian.rs installs the package.
#[tokio::test]
async fn the_way_to_production_is_gone_from_first_to_last() {
    let text = fs::read_to_string(repository().join(GUIDE)).unwrap();
    assert!(text.split_whitespace().count() < 10 * 200, "it says ten minutes");
    let [caddy]: [String; 1] = blocks(GUIDE, "caddyfile").try_into().unwrap();
    assert!(blocks("docs/operating/network.md", "caddyfile").contains(&caddy), "the one that is tried with Caddy");

    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_str().unwrap();
    let places = ["/etc/countersign", "/var/lib/countersign", "/var/log/countersign", "/run/countersign", "/backup"];
    for place in ["/etc/countersign", "/var/lib", "/var/log/countersign", "/run/countersign"] {
        fs::create_dir_all(format!("{root}{place}")).unwrap();
    }
    let here = |text: &str| {
        let text = places.iter().fold(text.to_owned(), |text, place| text.replace(place, &format!("{root}{place}")));
        ["sudo -u countersign ", "sudo ", " -o root -g countersign", " -o countersign -g countersign"]
            .iter()
            .fold(text, |text, by_root| text.replace(by_root, ""))
    };
    let [settings]: [String; 1] = blocks(GUIDE, "toml").try_into().unwrap();
    fs::write(format!("{root}/etc/countersign/countersign.toml"), here(&settings)).unwrap();
    let unit = fs::read_to_string(repository().join("packaging/debian/countersign.service")).unwrap();
    let start = unit.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/bin/countersign ")).unwrap();

    let (mut server, mut token, mut said) = (None::<ServerProcess>, String::new(), Vec::new());
    let installed = "apt-get install";
    let open =
        json!({ "public_key": "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", "message": "b3Blbg==", "queue": true });
    for command in blocks(GUIDE, "sh") {
        let mut command = here(&command);
        if command.contains(installed) {
            continue;
        }
        if command.contains("systemctl enable") {
            let arguments = here(start);
            server = Some(ServerProcess::start(&arguments.split(' ').collect::<Vec<_>>()).await);
            continue;
        }
        if let Some(server) = &server {
            let address = server.address.to_string();
            command = command.replace("https://sign.example.com", &format!("http://{address}"));
            command = command.replace("127.0.0.1:8080", &address);
        }
        if command.contains("admin requests") {
            let mut backend = Backend::connect(server.as_ref().unwrap().address).await.with_token(&token);
            assert_eq!(backend.post_with(&open, &[("prefer", "respond-async")]).await.status, 202);
        }
        if let Some((before, id)) = command.trim_end().rsplit_once(' ').filter(|_| command.contains("token revoke")) {
            assert_eq!(id.len(), 8, "{id}");
            let listed = String::from_utf8(run(command.lines().next().unwrap()).await.stdout).unwrap();
            let id = listed.lines().nth(1).unwrap().split(' ').next().unwrap();
            command = format!("{before} {id}");
        }
        let told = loop {
            let output = run(&format!("TOKEN={token}\n{command}")).await;
            let told = String::from_utf8(output.stdout).unwrap();
            // Entries are written soon after what they are about.
            if !command.contains("audit show") || told.contains(" asked request_id=") {
                break told;
            }
        };
        if let Some(secret) = told.lines().find(|line| line.trim().starts_with("cs_")) {
            token = secret.trim().to_owned();
            assert!(told.contains("no server is at"), "{told}");
        }
        said.push(told);
    }
    let said = said.join("\n");
    for part in [
        "\"connected\":false",
        "countersign_build_info{",
        "whole: 0 requests",
        "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
        " asked request_id=",
        "; requests ended: 1",
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
    assert!(!said.contains("go on"), "none is left: {said}");
    let server = server.unwrap();
    let mut backend = Backend::connect(server.address).await.with_token(&token);
    assert_eq!(backend.post_with(&open, &[]).await.code(), (401, "unauthorized"));
    server.kill().await;
}

/// From the first to the last, with a server that is told of each.
#[tokio::test]
async fn tokens_are_kept_in_a_file_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (file, tokens) = (path("countersign.toml"), path("tokens.toml"));
    let settings =
        format!("tokens_file = '{}'\ncontrol_socket = '{}'\n", tokens.display(), path("control.sock").display());
    fs::write(&file, settings).unwrap();
    fs::write(&tokens, "").unwrap();
    let server = ServerProcess::start(&["--config", file.to_str().unwrap()]).await;
    let said = async |command: &str| String::from_utf8(run(command).await.stdout).unwrap();
    let here = |part: &str| here(&documented(part), &[("countersign.toml", &file)]);
    let secret = |said: &str| {
        said.lines().find_map(|line| line.trim().strip_prefix("cs_")).map(|rest| format!("cs_{rest}")).unwrap()
    };
    let allowed = "/v1/signers/11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    let added = said(&here("token add")).await;
    assert!(added.contains("taken by the server; changed: token; tokens added of "), "{added}");
    let first = secret(&added);
    let first_id = added.split("Bearer token ").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    let mut backend = Backend::connect(server.address).await.with_token(&first);
    assert_eq!(backend.get(allowed).await.status, 200);
    let listed = said(&here("token list")).await;
    assert!(listed.contains(&first_id) && listed.contains("until 2030-12-31T00:00:00Z; keys 11qYAYKx"), "{listed}");
    assert!(!listed.contains(&first));

    let rotated = said(&here("token rotate").replace("74745ce8", &first_id)).await;
    let (second, second_id) =
        (secret(&rotated), rotated.split("Bearer token ").nth(1).unwrap().split(' ').next().unwrap().to_owned());
    assert_eq!(backend.get(allowed).await.status, 200, "for a day");
    let mut of_second = Backend::connect(server.address).await.with_token(&second);
    assert_eq!(of_second.get(allowed).await.status, 200);

    let revoke = here("token revoke");
    let output = shell(&revoke.replace("74745ce8", &first_id)).output().await.unwrap();
    let refused = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && refused.contains(&second_id), "{refused}");
    let silent = shell(&revoke.replace("--end-requests ", "").replace("74745ce8", &first_id)).output().await.unwrap();
    assert!(!silent.status.success(), "what becomes of open requests has to be said");
    said(&revoke.replace("--end-requests", "--keep-requests").replace("74745ce8", &first_id)).await;
    assert_eq!((backend.get(allowed).await.status.as_u16(), of_second.get(allowed).await.status.as_u16()), (401, 200));
    said(&revoke.replace("74745ce8", &second_id)).await;
    assert_eq!(of_second.get(allowed).await.code(), (401, "unauthorized"));
    assert_eq!(said(&here("token list")).await.matches(" revoked ").count(), 2);
    server.kill().await;
}

/// Each step, with an event after it.
#[tokio::test]
async fn secrets_and_keys_of_webhooks_are_made_and_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (file, secrets, data) = (path("countersign.toml"), path("shop.secrets"), path("data"));
    let mut hook = WebhookReceiver::start(&[]).await;
    let url = hook.url();
    let here = |text: &str| {
        let text = text.replace("/etc/countersign", folder.path().to_str().unwrap());
        let text = text.replace("/var/lib/countersign", data.to_str().unwrap());
        text.replace("https://shop.example.com/hooks/countersign", &url)
    };
    let said = async |part: &str| String::from_utf8(run(&here(&documented(part))).await.stdout).unwrap();
    let [batches, table, keys]: [String; 3] = blocks("docs/operating/webhooks.md", "toml").try_into().unwrap();
    let control = path("control.sock");
    let settings = format!("data_dir = '{}'\ncontrol_socket = '{}'\n", data.display(), control.display());

    fs::write(&file, format!("{settings}{}", here(&batches))).unwrap();
    ServerProcess::start(&["--config", file.to_str().unwrap()]).await.kill().await;
    said("umask 077; echo").await;
    fs::write(&file, format!("{settings}{}", here(&table))).unwrap();
    let server = ServerProcess::start(&["--config", file.to_str().unwrap()]).await;
    let mut backend = Backend::connect(server.address).await;
    let mut wallet = TestWallet::introduced(&format!("ws://{}/ws", server.address), 75).await;
    let body = json!({ "public_key": wallet.public_key().to_string(), "message": "cGF5", "webhook": url });
    let mut tell = async || {
        let (reply, _) = tokio::join!(backend.post(&body), wallet.sign_next());
        assert_eq!(reply.status, 200, "{}", reply.text);
        hook.next().await
    };
    let lines = || fs::read_to_string(&secrets).unwrap().lines().map(str::to_owned).collect::<Vec<_>>();
    let old = lines().remove(0);
    assert!(tell().await.verifies_by(&old));

    assert_eq!(said("umask 077; {").await, "reloaded; changed: webhook_secrets\n");
    let both = lines();
    assert!(both.len() == 2 && both[1] == old);
    let told = tell().await;
    assert!(both.iter().all(|secret| told.verifies_by(secret)));
    assert_eq!(said("sed -i 1q").await, "reloaded; changed: webhook_secrets\n");
    let told = tell().await;
    assert!(told.verifies_by(&both[0]) && !told.verifies_by(&old));
    assert_eq!(told.signatures("v1a").len(), 1);

    said("openssl genpkey").await;
    fs::write(&file, format!("{settings}{}\n{}", here(&keys), here(&table))).unwrap();
    assert_eq!(said("sed -i 1q").await, "reloaded; changed: webhook_key, webhook_keys\n");
    assert_eq!(tell().await.signatures("v1a").len(), 2);
    drop((backend, wallet));
    server.kill().await;
}

/// As documented, and by the hook that certbot calls.
#[tokio::test]
async fn settings_are_checked_and_taken_anew_and_so_is_a_certificate() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let path = |name: &str| folder.path().join(name);
    let (file, chain, key) = (path("countersign.toml"), path("fullchain.pem"), path("privkey.pem"));
    authority.issue().write(&chain, &key);
    let settings = format!(
        "tls_cert = '{}'\ntls_key = '{}'\ncontrol_socket = '{}'\n",
        chain.display(),
        key.display(),
        path("control.sock").display()
    );
    fs::write(&file, &settings).unwrap();
    let server = ServerProcess::start(&["--config", file.to_str().unwrap()]).await;

    fs::write(&file, format!("{settings}max_pending = 7\n")).unwrap();
    let said = async |command: &str| String::from_utf8(run(command).await.stdout).unwrap();
    let checked = said(&here(&documented("check --config"), &[("countersign.toml", &file)])).await;
    assert_eq!(checked, "ok: nothing is wrong with the settings\n");
    let reloaded = said(&here(&documented("reload --config countersign.toml"), &[("countersign.toml", &file)])).await;
    assert_eq!(reloaded, "reloaded; changed: max_pending\n");

    let renewed = path("renewed");
    fs::create_dir(&renewed).unwrap();
    authority.issue().write(&renewed.join("fullchain.pem"), &renewed.join("privkey.pem"));
    let hook = documented("RENEWED_LINEAGE").replace("-o countersign -g countersign ", "");
    let places = [("/etc/countersign/countersign.toml", file.as_path()), ("$RENEWED_LINEAGE", renewed.as_path())];
    let hook = here(&hook, &places).replace("/etc/countersign/", &format!("{}/", folder.path().display()));
    assert_eq!(said(&hook).await, "reloaded; changed: certificate\n");
    server.kill().await;
}

#[tokio::test]
async fn a_server_is_asked_how_it_is() {
    let server = ServerProcess::start(&[]).await;
    let command = documented("countersign health").replace("127.0.0.1:8080", &server.address.to_string());
    run(&command).await;
    // Without a URL, where it listens; an address that stands for all is none to dial.
    for listen in [server.address.to_string(), format!("0.0.0.0:{}", server.address.port())] {
        run(&format!("countersign --listen {listen} health")).await;
    }
    for (arguments, why) in [
        (vec!["health", &format!("http://{}/elsewhere", server.address)], " answered 404 Not Found"),
        (vec!["health", &format!("https://{}/healthz", server.address)], "/healthz: "),
        (vec!["--tls-cert", "cert.pem", "--tls-key", "key.pem", "health"], "which URL?"),
        (vec!["health", "/healthz"], "/healthz: "),
    ] {
        let (status, said) = refused(&arguments).await;
        assert!(!status && said.starts_with("countersign: ") && said.contains(why), "{said}");
    }
    server.signal("STOP").await;
    let (status, said) = refused(&["health", &format!("http://{}/healthz", server.address)]).await;
    assert!(!status && said.contains("no answer in 5 s"), "{said}");
    server.kill().await;
    let output = within(&command, shell(&command).output()).await.unwrap();
    assert_eq!(output.status.code(), Some(1));
}

#[tokio::test]
async fn a_backup_is_made_while_the_server_runs_and_put_back() {
    let folder = tempfile::tempdir().unwrap();
    let (data, target) = (folder.path().join("data"), folder.path().join("backup"));
    let server = ServerProcess::start(&["--data-dir", data.to_str().unwrap()]).await;
    let mut backend = Backend::connect(server.address).await;
    let mut wallet = TestWallet::introduced(&format!("ws://{}/ws", server.address), 71).await;
    let key = wallet.public_key().to_string();
    let ask = |message: &str| json!({ "public_key": key, "message": message, "queue": true });
    let mut ids = Vec::new();
    for message in ["c2lnbmVk", "b3Blbg=="] {
        let reply = backend.post_with(&ask(message), &[("prefer", "respond-async")]).await;
        assert_eq!(reply.status, 202, "{}", reply.text);
        ids.push(reply.json["request_id"].as_str().unwrap().to_owned());
        if ids.len() == 1 {
            wallet.sign_next().await;
        }
    }
    let places = [("/var/lib/countersign", data.as_path()), ("/backup/countersign", target.as_path())];
    for _ in 0..2 {
        let output = run(&here(&documented("--data-dir /var/lib/countersign backup "), &places)).await;
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.starts_with("2 requests, 1 of them open, "), "{said}");
    }
    let output = run(&here(&documented("backup --verify"), &[("/backup/countersign", &target)])).await;
    let said = String::from_utf8(output.stdout).unwrap();
    let keys = backend.get("/.well-known/jwks.json").await.json;
    let key = keys["keys"][0]["kid"].as_str().unwrap();
    assert!(said.starts_with("whole: 2 requests, 1 of them open, 0 webhooks to be told, "), "{said}");
    assert!(said.contains(", tables of version ") && said.trim().ends_with(&format!(", key {key}")), "{said}");
    // What came later is not in it.
    assert_eq!(backend.post_with(&ask("bGF0ZXI="), &[("prefer", "respond-async")]).await.status, 202);
    drop(wallet);
    server.kill().await;

    run(&here(&documented("cp -rp"), &places)).await;
    let server = ServerProcess::start(&["--data-dir", data.to_str().unwrap()]).await;
    let mut backend = Backend::connect(server.address).await;
    let states: Vec<_> = [
        backend.get(&format!("/v1/requests/{}", ids[0])).await.json["state"].clone(),
        backend.get(&format!("/v1/requests/{}", ids[1])).await.json["state"].clone(),
    ]
    .into();
    assert_eq!(states[0], "signed");
    assert!(["queued", "pending", "delivered"].iter().any(|open| states[1] == *open), "{states:?}");
    server.kill().await;

    // Somebody who puts the key back and forgets the database, or puts back an empty one, hears of it.
    fs::write(data.join("countersign.db"), b"").unwrap();
    let (status, said) = refused(&["--data-dir", data.to_str().unwrap()]).await;
    assert!(!status && said.contains("is empty or missing"), "{said}");
}

#[tokio::test]
async fn an_audit_log_is_read_and_verified_with_and_without_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let (path, key) = (folder.path().join("audit.jsonl"), folder.path().join("server.key"));
    let arguments = ["--audit-log", path.to_str().unwrap(), "--server-key", key.to_str().unwrap()];
    let server = ServerProcess::start(&arguments).await;
    let mut backend = Backend::connect(server.address).await;
    let mut wallet = TestWallet::introduced(&format!("ws://{}/ws", server.address), 72).await;
    let key = wallet.public_key();
    let (reply, _) = tokio::join!(backend.ask(&key, b"hello"), wallet.sign_next());
    assert_eq!(reply.status, 200);
    let keys = folder.path().join("audit-keys.json");
    let fetch = here(&documented("curl -fsS"), &[("audit-keys.json", &keys)]);
    run(&fetch.replace("127.0.0.1:8080", &server.address.to_string())).await;
    server.signal("TERM").await;
    server.wait().await;

    let places = [("/var/log/countersign", folder.path())];
    let show = here(&documented("audit show /var"), &places);
    let show = show.replace("11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", &key.to_string());
    let output = run(&show.replace("2026-11-24", "2020-01-01").replace("2026-11-25", "2120-01-01")).await;
    let shown = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<_> = shown.lines().collect();
    assert!(
        lines.len() == 2 && lines[0].contains(" asked request_id=") && lines[0].contains("requester=\"local backend\"")
    );
    assert!(lines[1].contains("outcome=signed by=wallet approved_by=human address=127.0.0.1 ms="), "{shown}");
    assert!(run(&show).await.stdout.is_empty(), "another day");

    let places = [places[0], ("audit-keys.json", &keys)];
    let (program, script) = (here(&documented("audit verify"), &places), here(&documented("set -eu"), &places));
    let output = run(&program).await;
    assert!(String::from_utf8(output.stdout).unwrap().contains("\nsigned heads: 2, verified\n"));
    let output = run(&script).await;
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said.matches("Signature Verified Successfully").count(), 2, "{said}");
    assert!(said.ends_with("nothing is wrong\n"), "{said}");
    let loops = documented("node-a").replace("node-a.jsonl node-b.jsonl", path.to_str().unwrap());
    assert!(String::from_utf8(run(&loops).await.stdout).unwrap().contains(" start "));

    // A changed letter, and a key set that is another server's.
    let honest = fs::read_to_string(&path).unwrap();
    let other =
        "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}";
    let real = fs::read_to_string(&keys).unwrap();
    for (text, set) in [(honest.replace("\"signed\"", "\"singed\""), real.as_str()), (honest, other)] {
        fs::write(&path, text).unwrap();
        fs::write(&keys, set).unwrap();
        for command in [&program, &script] {
            let output = within(command, shell(command).output()).await.unwrap();
            assert!(!output.status.success(), "{command}");
        }
    }
}

#[tokio::test]
async fn administrators_look_at_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("countersign.toml");
    let socket = folder.path().join("admin.sock");
    fs::write(&file, format!("admin_listen = {:?}\n", socket.to_str().unwrap())).unwrap();
    let data = folder.path().join("data");
    let server =
        ServerProcess::start(&["--config", file.to_str().unwrap(), "--data-dir", data.to_str().unwrap()]).await;
    let wallet = TestWallet::introduced(&format!("ws://{}/ws", server.address), 74).await;
    let key = wallet.public_key().to_string();
    let places = [("/etc/countersign/countersign.toml", file.as_path())];
    let look = here(&documented("admin status"), &places).replace("11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", &key);
    let said = String::from_utf8(run(&look).await.stdout).unwrap();
    assert!(said.contains("\nintroduced: 1\n") && said.contains(&key) && said.contains("\nREQUEST  "), "{said}");
    let end = here(&documented("admin cancel"), &places).replace("11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", &key);
    let said = String::from_utf8(run(&end).await.stdout).unwrap();
    assert_eq!(said, "cancelled: 0\ndisconnected: 1\n");
    let block =
        here(&documented("admin block "), &places).replace("11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", &key);
    let said = String::from_utf8(run(&block).await.stdout).unwrap();
    assert!(
        said.contains("blocked: true\n") && said.contains("stolen laptop") && said.contains("was_blocked: true\n"),
        "{said}"
    );
    let purge = here(&documented("admin purge"), &places);
    let said = String::from_utf8(run(&purge).await.stdout).unwrap();
    assert!(said.contains("requests: 0\n") && said.contains("scope_sha256: "), "{said}");
    let said = String::from_utf8(run(&documented("token --admin")).await.stdout).unwrap();
    assert!(said.contains("[[admin_token]]\nname = \"Ann\"\n"), "{said}");
    server.kill().await;
}

/// The documented three, each by itself, since the request has to be one that there is.
#[tokio::test]
async fn administrators_have_webhooks_told_once_more() {
    let folder = tempfile::tempdir().unwrap();
    let (file, data) = (folder.path().join("countersign.toml"), folder.path().join("data"));
    let mut hook = WebhookReceiver::start(&[410, 410]).await;
    let settings = format!(
        "admin_listen = {:?}\ndata_dir = {:?}\nwebhook_target = [{:?}]\n",
        folder.path().join("admin.sock"),
        data,
        hook.url()
    );
    fs::write(&file, settings).unwrap();
    let server = ServerProcess::start(&["--config", file.to_str().unwrap()]).await;
    let mut backend = Backend::connect(server.address).await;
    let mut wallet = TestWallet::introduced(&format!("ws://{}/ws", server.address), 76).await;
    let body = json!({ "public_key": wallet.public_key().to_string(), "message": "cGF5", "webhook": hook.url() });
    let mut ids = Vec::new();
    for _ in 0..2 {
        let (reply, _) = tokio::join!(backend.post(&body), wallet.sign_next());
        ids.push(reply.json["request_id"].as_str().unwrap().to_owned());
        hook.next().await;
    }
    let commands = here(&documented("admin webhooks"), &[("/etc/countersign/countersign.toml", &file)]);
    let commands = commands.replace("https://shop.example.com/hooks/countersign", &hook.url());
    let commands = commands.replace("e604cb6f-0ab1-426a-a80f-4234344b6dfe", &ids[0]);
    let [list, one, all]: [&str; 3] = commands.lines().collect::<Vec<_>>().try_into().unwrap();
    let said = async |command: &str| String::from_utf8(run(command).await.stdout).unwrap();
    let listed = loop {
        let listed = said(list).await;
        if listed.matches(" given_up ").count() == 2 {
            break listed;
        }
    };
    assert!(ids.iter().all(|id| listed.contains(id)) && listed.starts_with("REQUEST  "), "{listed}");
    assert!(said(one).await.contains("resent: 1\n"));
    assert_eq!(hook.next().await.header("webhook-id"), format!("evt_{}", ids[0]));
    assert!(said(all).await.contains("resent: 1\n"));
    assert_eq!(hook.next().await.header("webhook-id"), format!("evt_{}", ids[1]));
    while said(list).await.lines().count() > 1 {}
    drop((backend, wallet));
    server.kill().await;
}

#[tokio::test]
async fn a_backup_of_nothing_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let database = "--database-url=postgres://u:secret@db.example/x";
    let (status, said) = refused(&[database, "backup", "/backup"]).await;
    let command = "pg_dump --format=custom --no-unlogged-table-data --exclude-table-data=nodes \
        --file='/backup/countersign.dump.partial' 'postgres://u@db.example/x?sslmode=verify-full' \
        && mv '/backup/countersign.dump.partial' '/backup/countersign.dump'";
    assert!(!status && said.contains(command) && !said.contains("secret"), "{said}");
    for arguments in
        [vec!["--data-dir", path, "backup", "elsewhere"], vec!["backup", "elsewhere"], vec!["backup", "--verify", path]]
    {
        let (status, said) = refused(&arguments).await;
        assert!(!status && said.starts_with("countersign: "), "{said}");
    }
}

async fn refused(arguments: &[&str]) -> (bool, String) {
    let mut command = ServerProcess::command(&["--listen", "127.0.0.1:0"]);
    command.args(arguments);
    let output = within("its end", command.output()).await.unwrap();
    (output.status.success(), String::from_utf8(output.stderr).unwrap())
}

/// Of a log that the server has written.
#[tokio::test]
#[ignore = "needs jq: make proxy-tests"]
async fn the_log_says_who_asked_who_approved_and_from_where() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("countersign.log");
    let data = folder.path().join("data");
    let command = ServerProcess::command(&["--log-format", "json", "--data-dir", data.to_str().unwrap()]);
    let server = ServerProcess::spawn_logging_to(command, fs::File::create(&log).unwrap().into()).await;
    let mut backend = Backend::connect(server.address).await;
    let mut wallet = TestWallet::introduced(&format!("ws://{}/ws", server.address), 72).await;
    let mut other = TestWallet::introduced(&format!("ws://{}/ws", server.address), 73).await;
    let key = wallet.public_key();
    let body = json!({ "public_key": key.to_string(), "message": "cGF5", "queue": true });
    let headers = [("x-request-id", "order-4711")];
    let (reply, _) = tokio::join!(backend.post_with(&body, &headers), wallet.sign_next());
    assert_eq!((reply.status.as_u16(), &reply.headers["x-request-id"]), (200, &"order-4711".parse().unwrap()));
    let request = reply.json["request_id"].as_str().unwrap().to_owned();
    let others = other.public_key();
    let (reply, _) = tokio::join!(backend.ask(&others, b"another's"), other.sign_next());
    assert_eq!(reply.status, 200);
    server.signal("TERM").await;
    server.wait().await;

    let day = fs::read_to_string(&log).unwrap().split("\"timestamp\":\"").nth(1).unwrap()[..10].to_owned();
    let command = here(&documented("jq -r --arg"), &[("countersign.log", &log)]);
    let command = command.replace("11qYAYKx", &key.fingerprint()).replace("2026-11-24", &day);
    let said = String::from_utf8(run(&command).await.stdout).unwrap();
    let lines: Vec<Vec<&str>> = said.lines().map(|line| line.split('\t').skip(1).collect()).collect();
    let asked = ["request asked", &request, "local backend", "127.0.0.1", "order-4711"];
    assert_eq!(lines.len(), 2, "{said}");
    assert_eq!(lines[0], [&asked[..], &["-"; 5]].concat());
    let ended = ["request ended", &request, "local backend", "127.0.0.1", "order-4711"];
    assert_eq!(lines[1], [&ended[..], &["signed", "wallet", "human", "-", "127.0.0.1"]].concat());
}

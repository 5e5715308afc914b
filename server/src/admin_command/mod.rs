//! `countersign admin`: asks a running server, and tells it what to do.

mod client;
mod error;
mod table;
mod target;

pub(crate) use error::AdminError;

use clap::{Args, Subcommand};
use client::{Client, encoded, path};
use countersign_server::{
    Timestamp,
    http::{AdminAddress, Settings},
    protocol::{PublicKeyBytes, RequestId},
};
use hyper::Method;
use serde_json::{Value, json};
use std::{
    env, fs,
    io::{self, Write as _},
    path::PathBuf,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use table::{BLOCKS, CONNECTIONS, Columns, REQUESTS, WEBHOOKS, print_members};
use target::Target;

/// By which a token is given that is in no file.
const TOKEN_VARIABLE: &str = "COUNTERSIGN_ADMIN_TOKEN";

/// As many rows as an answer may have.
const PAGE: &str = "1000";

/// What is wanted of which server.
#[derive(Args)]
pub(crate) struct AdminCommand {
    /// Where it listens for administrators: a path, ADDRESS:PORT, or an http or https URL [default: --admin-listen]
    #[arg(long, value_name = "ADDRESS")]
    admin: Option<Target>,
    /// File with the bearer token; the variable COUNTERSIGN_ADMIN_TOKEN has it where there is no file
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Print JSON, lists with an object a line
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    action: Action,
}

/// What is wanted.
#[derive(Subcommand)]
enum Action {
    /// How the server is
    Status,
    /// The wallets that are connected to it
    Connections {
        /// Of this public key, however it is written
        #[arg(long, value_parser = PublicKeyBytes::from_any_text)]
        key: Option<PublicKeyBytes>,
    },
    /// The requests that are open
    Requests {
        /// Of the requester with this id
        #[arg(long, value_name = "ID")]
        requester: Option<String>,
        /// To this public key, however it is written
        #[arg(long, value_parser = PublicKeyBytes::from_any_text)]
        key: Option<PublicKeyBytes>,
    },
    /// Ends an open request, or all of a requester, of a key or of both; their wallets are told, and their requesters `cancelled`
    #[command(group(clap::ArgGroup::new("what").required(true).multiple(true).args(["id", "requester", "key"])))]
    Cancel {
        /// The request
        #[arg(conflicts_with_all = ["requester", "key"])]
        id: Option<RequestId>,
        /// Of the requester with this id
        #[arg(long, value_name = "ID")]
        requester: Option<String>,
        /// To this public key, however it is written
        #[arg(long, value_parser = PublicKeyBytes::from_any_text)]
        key: Option<PublicKeyBytes>,
    },
    /// Closes a key's connections; its wallets may come back
    Disconnect {
        /// The public key, however it is written
        #[arg(value_parser = PublicKeyBytes::from_any_text)]
        key: PublicKeyBytes,
    },
    /// Blocks a key: ends what is open for it, closes its connections, and refuses both from now on
    Block {
        /// The public key, however it is written
        #[arg(value_parser = PublicKeyBytes::from_any_text)]
        key: PublicKeyBytes,
        /// Why, for other operators
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        /// For how long, as in 30min or 7days [default: until it is unblocked]
        #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
        r#for: Option<Duration>,
    },
    /// Ends that
    Unblock {
        /// The public key, however it is written
        #[arg(value_parser = PublicKeyBytes::from_any_text)]
        key: PublicKeyBytes,
    },
    /// The keys that are blocked
    Blocks,
    /// Has the server take its settings anew, and says what came of it
    Reload,
    /// The webhook events that are not told yet, or were given up
    Webhooks {
        /// Those alone that have been tried in vain
        #[arg(long)]
        failed: bool,
        /// To this URL
        #[arg(long, value_name = "URL")]
        target: Option<String>,
    },
    /// Has webhook events told once more: the ends of requests, or all that a target has not taken
    #[command(group(clap::ArgGroup::new("which").required(true).args(["ids", "target"])))]
    Resend {
        /// The requests, up to 64
        #[arg(value_name = "ID", num_args = 1..=64)]
        ids: Vec<RequestId>,
        /// What this URL has not taken
        #[arg(long, value_name = "URL")]
        target: Option<String>,
    },
    /// Erases all that is kept of ended requests of a requester, of a key or of both
    #[command(group(clap::ArgGroup::new("whose").required(true).multiple(true).args(["requester", "key"])))]
    Purge {
        /// Of the requester with this id
        #[arg(long, value_name = "ID")]
        requester: Option<String>,
        /// To this public key, however it is written
        #[arg(long, value_parser = PublicKeyBytes::from_any_text)]
        key: Option<PublicKeyBytes>,
        /// Those that ended before this time, as in 2026-11-24T09:00:00Z [default: all]
        #[arg(long, value_name = "TIME", value_parser = humantime::parse_rfc3339_weak)]
        ended_before: Option<SystemTime>,
        /// End those that are open first; otherwise nothing is erased while there are any
        #[arg(long)]
        cancel: bool,
    },
}

impl AdminCommand {
    pub(crate) fn run(&self, settings: &Settings) -> Result<(), AdminError> {
        let target = match (&self.admin, &settings.admin_listen) {
            (Some(target), _) => target.clone(),
            (None, Some(AdminAddress::Tcp(address))) if settings.is_tls() && !address.ip().is_loopback() => {
                return Err(AdminError::Usage(
                    "which --admin? Its certificate is for a name: https://NAME:PORT".into(),
                ));
            }
            (None, Some(address)) => address.into(),
            (None, None) => return Err(AdminError::Usage("which --admin? There is no --admin-listen".into())),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| AdminError::Usage(error.to_string()))?;
        runtime.block_on(self.ask(&Client::new(target, self.token()?)))
    }

    fn token(&self) -> Result<Option<String>, AdminError> {
        let text = match &self.token_file {
            Some(file) => {
                let unreadable = |error| AdminError::Usage(format!("--token-file {}: {error}", file.display()));
                Some(fs::read_to_string(file).map_err(unreadable)?)
            }
            None => env::var(TOKEN_VARIABLE).ok(),
        };
        Ok(text.map(|text| text.trim().to_owned()))
    }

    async fn ask(&self, client: &Client) -> Result<(), AdminError> {
        match &self.action {
            Action::Status => {
                let answer = client.call(Method::GET, "status", None).await?;
                self.print(&answer)
            }
            Action::Connections { key } => self.list(client, "connections", &[("key", text(*key))], &CONNECTIONS).await,
            Action::Requests { requester, key } => {
                let filter = [("requester", requester.clone()), ("key", text(*key))];
                self.list(client, "requests", &filter, &REQUESTS).await
            }
            Action::Cancel { id: Some(id), .. } => {
                self.act(client, Method::DELETE, &format!("requests/{id}"), None).await
            }
            Action::Cancel { id: None, requester, key } => {
                let whose = json!({ "requester": requester, "key": text(*key) });
                self.act(client, Method::POST, "requests/cancel", Some(whose)).await
            }
            Action::Disconnect { key } => {
                let path = format!("keys/{}/disconnect", encoded(&key.to_string()));
                self.act(client, Method::POST, &path, None).await
            }
            Action::Block { key, reason, r#for } => {
                let until = r#for.map(|time| Timestamp::of_the_system().after(time).as_millis());
                let terms = json!({ "reason": reason, "until_ms": until });
                self.act(client, Method::PUT, &block_of(*key), Some(terms)).await
            }
            Action::Unblock { key } => self.act(client, Method::DELETE, &block_of(*key), None).await,
            Action::Purge { requester, key, ended_before, cancel } => {
                let since = ended_before.map(|time| time.duration_since(UNIX_EPOCH).unwrap_or_default());
                let before = since.map(|since| Timestamp::from_millis(0).after(since).as_millis());
                let scope = json!({
                    "requester": requester, "key": text(*key), "ended_before_ms": before, "cancel": cancel
                });
                self.act(client, Method::POST, "purge", Some(scope)).await
            }
            Action::Webhooks { failed, target } => {
                let filter = [("failed", failed.then(|| "true".to_owned())), ("target", target.clone())];
                self.list(client, "webhooks", &filter, &WEBHOOKS).await
            }
            Action::Resend { ids, target } => {
                let which = match target {
                    Some(target) => json!({ "target": target }),
                    None => json!({ "request_ids": ids }),
                };
                self.act(client, Method::POST, "webhooks/resend", Some(which)).await
            }
            Action::Blocks => self.list(client, "blocks", &[], &BLOCKS).await,
            Action::Reload => {
                let answer = client.call(Method::POST, "reload", None).await?;
                let is_reloaded = answer.get("reloaded").and_then(Value::as_bool) == Some(true);
                if is_reloaded { self.print(&answer) } else { Err(AdminError::not_reloaded(&answer)) }
            }
        }
    }

    async fn act(&self, client: &Client, method: Method, path: &str, body: Option<Value>) -> Result<(), AdminError> {
        self.print(&client.call(method, path, body).await?)
    }

    fn print(&self, answer: &Value) -> Result<(), AdminError> {
        let mut output = io::stdout().lock();
        if self.json { writeln!(output, "{answer}") } else { print_members(&mut output, answer) }
            .map_err(AdminError::Output)
    }

    /// Prints all pages of a list, each when it is there.
    async fn list(
        &self,
        client: &Client,
        name: &str,
        filter: &[(&str, Option<String>)],
        columns: &Columns,
    ) -> Result<(), AdminError> {
        let mut cursor = None;
        loop {
            // There are few enough blocks for one.
            let of_page = [("limit", Some(PAGE.to_owned())), ("cursor", cursor.clone())];
            let of_page = if name == "blocks" { &[][..] } else { &of_page };
            let answer = client.call(Method::GET, &path(name, [filter, of_page].concat()), None).await?;
            let rows = answer.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            let mut output = io::stdout().lock();
            if self.json {
                rows.iter().try_for_each(|row| writeln!(output, "{row}")).map_err(AdminError::Output)?;
            } else {
                columns.print(&mut output, rows, cursor.is_none()).map_err(AdminError::Output)?;
            }
            let next = answer.get("next_cursor").and_then(Value::as_str).map(str::to_owned);
            if next.is_none() || next == cursor {
                return Ok(());
            }
            cursor = next;
        }
    }
}

fn block_of(key: PublicKeyBytes) -> String {
    format!("keys/{}/block", encoded(&key.to_string()))
}

fn text(key: Option<PublicKeyBytes>) -> Option<String> {
    key.map(|key| key.to_string())
}

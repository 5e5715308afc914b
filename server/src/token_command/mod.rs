//! Tokens in a file of their own, or in the database of a cluster: made, listed, revoked, exchanged; and servers told of it.

mod file;
mod location;

use clap::{Args, Subcommand};
use countersign_server::http::{Revocation, TokenEntry, Tokens};
use location::{Found, TokenLocation};
use std::{
    error::Error,
    num::NonZeroU32,
    time::{Duration, SystemTime},
};

#[derive(Subcommand)]
pub(crate) enum TokenCommand {
    /// Makes a token, shows it once, and writes down its hash
    Add {
        /// The name that wallets show
        name: String,
        /// The id of a requester that has a token already, and gets another [default: a new one]
        #[arg(long)]
        id: Option<String>,
        #[command(flatten)]
        scope: Scope,
        #[command(flatten)]
        location: TokenLocation,
    },
    /// Lists the tokens that there are, without what could be used
    List {
        #[command(flatten)]
        location: TokenLocation,
    },
    /// Has a token hold no more, and says what becomes of its requester's open requests
    Revoke {
        /// Which, as `list` names it
        token: String,
        /// End them
        #[arg(long, required_unless_present = "keep_requests", conflicts_with = "keep_requests")]
        end_requests: bool,
        /// Let them go on
        #[arg(long)]
        keep_requests: bool,
        #[command(flatten)]
        location: TokenLocation,
    },
    /// Makes another token with the same requester and scope, and has the old one end after a while
    Rotate {
        /// Which, as `list` names it
        token: String,
        /// Time in hours for which the old one still holds
        #[arg(long, default_value_t = 24, value_name = "HOURS", value_parser = clap::value_parser!(u32).range(0..=8784))]
        overlap_hours: u32,
        /// When the new one ends [default: never]
        #[arg(long, value_name = "TIME")]
        expires: Option<String>,
        #[command(flatten)]
        location: TokenLocation,
    },
}

/// What a token is good for.
#[derive(Args)]
pub(crate) struct Scope {
    /// When it ends, as in 2030-12-31T00:00:00Z [default: never]
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
    /// A key in base64url, or how one begins; may be given several times [default: any]
    #[arg(long, value_name = "KEY")]
    key: Vec<String>,
    /// One of the webhook targets; may be given several times [default: all]
    #[arg(long, value_name = "URL")]
    webhook_target: Vec<String>,
    /// It may look, and neither ask nor withdraw
    #[arg(long)]
    read_only: bool,
    /// API calls a second [default: as others have]
    #[arg(long, value_name = "RATE")]
    requests_per_second: Option<NonZeroU32>,
    /// Requests that its requester may have open on a server [default: as many as its share]
    #[arg(long, value_name = "COUNT")]
    max_pending: Option<NonZeroU32>,
}

impl TokenCommand {
    pub(crate) fn run(&self) -> Result<(), Box<dyn Error>> {
        match self {
            Self::Add { name, id, scope, location } => add(location.find(true)?, (name, id.as_deref()), scope),
            Self::List { location } => {
                list(&location.find(false)?);
                Ok(())
            }
            Self::Revoke { token, end_requests, location, .. } => {
                revoke(location.find(true)?, token, if *end_requests { Revocation::End } else { Revocation::Keep })
            }
            Self::Rotate { token, overlap_hours, expires, location } => {
                rotate(location.find(true)?, token, *overlap_hours, expires.clone())
            }
        }
    }
}

fn add(mut found: Found, (name, id): (&str, Option<&str>), scope: &Scope) -> Result<(), Box<dyn Error>> {
    let (token, entry) = Tokens::generate(name, id)?;
    found.tokens.push(TokenEntry {
        expires: scope.expires.clone(),
        keys: scope.key.clone(),
        webhook_targets: Some(scope.webhook_target.clone()).filter(|targets| !targets.is_empty()),
        read_only: scope.read_only,
        requests_per_second: scope.requests_per_second,
        max_pending: scope.max_pending,
        ..entry
    });
    show(found, &token)
}

/// Shows the token that was added last. After it was written: one that holds nowhere is of no use.
#[allow(clippy::print_stdout)]
fn show(found: Found, token: &str) -> Result<(), Box<dyn Error>> {
    let made = found.tokens.last().map(|entry| (entry.token_id(), entry.requester_id().to_owned()));
    let (token_id, requester) = made.unwrap_or_default();
    let written = found.write();
    println!("Bearer token {token_id} of requester {requester}, shown this once:\n\n  {token}");
    written
}

#[allow(clippy::print_stdout)]
fn list(found: &Found) {
    println!("token     requester         state    name; what it is good for");
    for entry in found.tokens.iter().chain(&found.others) {
        let state = match (entry.revoked, entry.is_valid()) {
            (Some(_), _) => "revoked",
            (None, true) => "valid",
            (None, false) => "expired",
        };
        println!("{:<8}  {:<16}  {state:<7}  {}{}", entry.token_id(), entry.requester_id(), entry.name, scope(entry));
    }
}

fn scope(entry: &TokenEntry) -> String {
    let mut parts = Vec::new();
    parts.extend(entry.expires.as_ref().map(|expires| format!("until {expires}")));
    parts.extend((!entry.keys.is_empty()).then(|| format!("keys {}", entry.keys.join(" "))));
    parts.extend(entry.webhook_targets.as_ref().map(|targets| format!("webhooks {}", targets.join(" "))));
    parts.extend(entry.read_only.then(|| "read only".to_owned()));
    parts.extend(entry.requests_per_second.map(|rate| format!("{rate} calls a second")));
    parts.extend(entry.max_pending.map(|most| format!("at most {most} open requests")));
    parts.into_iter().map(|part| format!("; {part}")).collect()
}

fn revoke(mut found: Found, token: &str, revocation: Revocation) -> Result<(), Box<dyn Error>> {
    let requester = found.entry(token)?.requester_id().to_owned();
    let others = found.tokens.iter().chain(&found.others);
    let of_requester = others.filter(|entry| entry.requester_id() == requester && entry.token_id() != token);
    let holding: Vec<_> = of_requester.filter(|entry| entry.is_valid()).map(TokenEntry::token_id).collect();
    // Requests are the requester's, whichever token they were asked with.
    if revocation == Revocation::End && !holding.is_empty() {
        let others = holding.join(", ");
        return Err(format!(
            "requester {requester} has other tokens that hold ({others}): revoke those first, or --keep-requests"
        )
        .into());
    }
    found.entry(token)?.revoked = Some(revocation);
    found.write_revoked(&requester, revocation)
}

fn rotate(mut found: Found, token: &str, overlap_hours: u32, expires: Option<String>) -> Result<(), Box<dyn Error>> {
    let old = found.entry(token)?.clone();
    if !old.is_valid() {
        return Err(format!("token {token} holds no more: add another one with --id {}", old.requester_id()).into());
    }
    let until = SystemTime::now() + Duration::from_hours(overlap_hours.into());
    let is_sooner = |text: &String| humantime::parse_rfc3339(text).is_ok_and(|end| end < until);
    let ends = old.expires.clone().filter(is_sooner);
    found.entry(token)?.expires = Some(ends.unwrap_or_else(|| humantime::format_rfc3339_seconds(until).to_string()));
    let (secret, entry) = Tokens::generate(&old.name, Some(old.requester_id()))?;
    found.tokens.push(TokenEntry { sha256: entry.sha256, id: entry.id, expires, ..old });
    show(found, &secret)
}

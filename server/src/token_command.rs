//! Tokens in a file of their own: made, listed, revoked, exchanged; and the server told of it.

use crate::settings_command::Mistakes;
use clap::{Args, Subcommand};
use countersign_server::http::{Reply, Revocation, Settings, TokenEntry, Tokens, ask};
use serde::Serialize;
use std::{
    error::Error,
    fs::{self, File},
    io::{ErrorKind, Write as _},
    num::NonZeroU32,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};
use tempfile::NamedTempFile;

/// What a file of tokens begins with.
const HEAD: &str = "# Written by `countersign token`. What is not a [[token]] is lost.\n\n";

/// A new file is its owner's alone.
const NEW_MODE: u32 = 0o600;

#[derive(Subcommand)]
pub(crate) enum TokenCommand {
    /// Makes a token, shows it once, and writes its hash into the file of tokens
    Add {
        /// The name that wallets show
        name: String,
        /// The id of a requester that has a token already, and gets another [default: a new one]
        #[arg(long)]
        id: Option<String>,
        #[command(flatten)]
        scope: Scope,
        #[command(flatten)]
        place: Place,
    },
    /// Lists the tokens that there are, without what could be used
    List {
        #[command(flatten)]
        place: Place,
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
        place: Place,
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
        place: Place,
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

/// Where the tokens are, and the server.
#[derive(Args)]
pub(crate) struct Place {
    /// TOML file with settings, which says where the next two are
    #[arg(long, env = "COUNTERSIGN_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// The file of tokens; made where there is none
    #[arg(long, env = "COUNTERSIGN_TOKENS_FILE", value_name = "FILE")]
    tokens_file: Option<PathBuf>,
    /// Where the server hears that it is to reload [default: it is not told]
    #[arg(long, env = "COUNTERSIGN_CONTROL_SOCKET", value_name = "FILE")]
    control_socket: Option<PathBuf>,
}

/// The tokens as they are, with what names them elsewhere.
struct Found {
    file: PathBuf,
    /// Held while the file is read and written, so that of two commands neither loses what the other does.
    _lock: File,
    tokens: Vec<TokenEntry>,
    /// Those in the settings' own file, which are not this command's to write.
    others: Vec<TokenEntry>,
    control_socket: Option<PathBuf>,
}

#[derive(Serialize)]
struct Written<'a> {
    token: &'a [TokenEntry],
}

impl TokenCommand {
    pub(crate) fn run(&self) -> Result<(), Box<dyn Error>> {
        match self {
            Self::Add { name, id, scope, place } => add(place.find()?, (name, id.as_deref()), scope),
            Self::List { place } => {
                list(&place.find()?);
                Ok(())
            }
            Self::Revoke { token, end_requests, place, .. } => {
                revoke(place.find()?, token, if *end_requests { Revocation::End } else { Revocation::Keep })
            }
            Self::Rotate { token, overlap_hours, expires, place } => {
                rotate(place.find()?, token, *overlap_hours, expires.clone())
            }
        }
    }
}

impl Place {
    fn find(&self) -> Result<Found, Box<dyn Error>> {
        // What else is wrong with the settings, the server says.
        let settings = self.config.as_deref().map(|path| Settings::what_is_right_in(path).0).unwrap_or_default();
        let file = self.tokens_file.clone().or(settings.tokens_file).ok_or("token: which --tokens-file?")?;
        // A link stays one.
        let file = fs::canonicalize(&file).unwrap_or(file);
        let lock = lock(&file).map_err(|error| format!("--tokens-file {}: {error}", file.display()))?;
        let tokens = if file.exists() { Settings::from_file(&file).map_err(Mistakes)?.token } else { Vec::new() };
        let control_socket = self.control_socket.clone().or(settings.control_socket);
        Ok(Found { file, _lock: lock, tokens, others: settings.token, control_socket })
    }
}

fn folder(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn lock(file: &Path) -> std::io::Result<File> {
    let folder = File::open(folder(file))?;
    folder.lock()?;
    Ok(folder)
}

impl Found {
    fn entry(&mut self, token: &str) -> Result<&mut TokenEntry, String> {
        let is_it = |entry: &TokenEntry| entry.token_id() == token;
        let unknown = if self.others.iter().any(is_it) {
            format!("token {token} stands in the file of settings: change it there, and reload")
        } else {
            format!("no token {token} in {}", self.file.display())
        };
        self.tokens.iter_mut().find(|entry| is_it(entry)).ok_or(unknown)
    }

    /// Writes the file, whole or not at all, with the mode and owner it has, and has the server read it.
    #[allow(clippy::print_stdout)]
    fn write(self) -> Result<(), Box<dyn Error>> {
        Tokens::from_entries(&[&self.tokens[..], &self.others].concat())?;
        let text = format!("{HEAD}{}", toml::to_string(&Written { token: &self.tokens })?);
        replace(&self.file, &text).map_err(|error| format!("--tokens-file {}: {error}", self.file.display()))?;
        let Some(socket) = &self.control_socket else {
            println!("Written to {}; it holds when the server has read it: countersign reload", self.file.display());
            return Ok(());
        };
        let untold =
            |why: String| format!("{} is written, and the server has not taken it: {why}", self.file.display());
        match ask(socket) {
            Ok(Reply::Reloaded(report)) => {
                println!("Written to {}, and taken by the server; {report}", self.file.display());
                Ok(())
            }
            Ok(Reply::Refused(mistakes)) => Err(untold(mistakes.join("\ncountersign: ")).into()),
            // As before the first start.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
                let (file, socket) = (self.file.display(), socket.display());
                println!("Written to {file}; no server is at {socket}, and the next one takes it when it starts");
                Ok(())
            }
            Err(error) => Err(untold(format!("--control-socket {}: {error}", socket.display())).into()),
        }
    }
}

fn replace(file: &Path, text: &str) -> std::io::Result<()> {
    let mut next = NamedTempFile::new_in(folder(file))?;
    next.write_all(text.as_bytes())?;
    match fs::metadata(file) {
        Ok(before) => {
            let now = next.as_file().metadata()?;
            if (now.uid(), now.gid()) != (before.uid(), before.gid()) {
                chown(next.path(), Some(before.uid()), Some(before.gid()))?;
            }
            next.as_file().set_permissions(before.permissions())?;
        }
        Err(_) => next.as_file().set_permissions(fs::Permissions::from_mode(NEW_MODE))?,
    }
    next.as_file().sync_all()?;
    next.persist(file)?;
    File::open(folder(file))?.sync_all()
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
    parts.extend(entry.max_pending.map(|most| format!("{most} open requests")));
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
    found.write()
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

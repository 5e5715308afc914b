//! Where tokens are: in a file, or in the database that several servers share.

use super::file::TokensFile;
use crate::settings_command::Mistakes;
use clap::Args;
use countersign_server::{
    http::{DatabaseTokens, Revocation, Settings, SettingsError, TokenEntry, Tokens},
    store::DatabaseUrl,
};
use std::{error::Error, path::PathBuf};

/// Where the tokens are, and the server.
#[derive(Args)]
pub(crate) struct TokenLocation {
    /// TOML file with settings, which says where the others are
    #[arg(long, env = "COUNTERSIGN_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// The file of tokens; made where there is none
    #[arg(long, env = "COUNTERSIGN_TOKENS_FILE", value_name = "FILE")]
    tokens_file: Option<PathBuf>,
    /// Where the server hears that it is to reload [default: it is not told]
    #[arg(long, env = "COUNTERSIGN_CONTROL_SOCKET", value_name = "FILE")]
    control_socket: Option<PathBuf>,
    /// They are in --database-url, in the place of a file, for all servers that use it
    #[arg(long, env = "COUNTERSIGN_DATABASE_TOKENS", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    database_tokens: Option<bool>,
    /// PostgreSQL database of the servers
    #[arg(long, env = "COUNTERSIGN_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database_url: Option<DatabaseUrl>,
}

/// The tokens as they are, with what names them elsewhere.
pub(super) struct Found {
    pub(super) tokens: Vec<TokenEntry>,
    /// Those in the settings' own file, which are not this command's to write.
    pub(super) others: Vec<TokenEntry>,
    kept: Kept,
}

enum Kept {
    File(TokensFile),
    Database(Box<DatabaseTokens>),
}

impl TokenLocation {
    /// What there is; nobody else changes it meanwhile, where it is `to_write`.
    pub(super) fn find(&self, to_write: bool) -> Result<Found, Box<dyn Error>> {
        // What else is wrong with the settings, the server says.
        let settings = self.config.as_deref().map(|path| Settings::what_is_right_in(path).0).unwrap_or_default();
        let tokens_file = self.tokens_file.clone().or(settings.tokens_file);
        let are_in_database = self.database_tokens.or(settings.database_tokens).unwrap_or(false);
        let (kept, tokens) = match (tokens_file, are_in_database) {
            (Some(_), true) => return Err(SettingsError::TokensInTwoPlaces.into()),
            (None, false) => return Err("token: which --tokens-file, or --database-tokens?".into()),
            (Some(file), false) => {
                let control_socket = self.control_socket.clone().or(settings.control_socket);
                let (file, tokens) = TokensFile::open(file, control_socket)?;
                (Kept::File(file), tokens)
            }
            (None, true) => {
                let url = self.database_url.clone().or(settings.database_url);
                let url = url.ok_or(SettingsError::TokensWithoutDatabase)?;
                let (database, tokens) = DatabaseTokens::open(&url, to_write).map_err(Mistakes)?;
                (Kept::Database(Box::new(database)), tokens)
            }
        };
        Ok(Found { tokens, others: settings.token, kept })
    }
}

impl Found {
    pub(super) fn entry(&mut self, token: &str) -> Result<&mut TokenEntry, String> {
        let is_it = |entry: &TokenEntry| entry.token_id() == token;
        let unknown = if self.others.iter().any(is_it) {
            format!("token {token} stands in the file of settings: change it there, and reload")
        } else {
            match &self.kept {
                Kept::File(file) => format!("no token {token} in {}", file.path.display()),
                Kept::Database(_) => format!("no token {token} in the database"),
            }
        };
        self.tokens.iter_mut().find(|entry| is_it(entry)).ok_or(unknown)
    }

    /// Writes them down, and has servers take them.
    pub(super) fn write(self) -> Result<(), Box<dyn Error>> {
        self.write_and_say("")
    }

    /// Likewise, after one of a requester was revoked: what becomes of its open requests is said.
    pub(super) fn write_revoked(self, requester: &str, revocation: Revocation) -> Result<(), Box<dyn Error>> {
        let said = match &self.kept {
            // The server says it.
            Kept::File(_) => String::new(),
            Kept::Database(database) => {
                let open = database.open_requests(requester)?;
                let what_becomes_of_them = match revocation {
                    Revocation::End => "each server ends those that it has",
                    Revocation::Keep => "they go on",
                };
                format!(
                    "; durable requests of requester {requester} that are open, beside those whose callers wait: {open}; {what_becomes_of_them}"
                )
            }
        };
        self.write_and_say(&said)
    }

    #[allow(clippy::print_stdout)]
    fn write_and_say(self, more: &str) -> Result<(), Box<dyn Error>> {
        Tokens::from_entries(&[&self.tokens[..], &self.others].concat())?;
        match self.kept {
            Kept::File(file) => file.write(&self.tokens),
            Kept::Database(database) => {
                database.write(&self.tokens).map_err(|error| match error {
                    SettingsError::Database(_) => {
                        format!("{error}; whether it is written nobody knows: look with `countersign token list`")
                    }
                    other => other.to_string(),
                })?;
                println!("Written to the database; every server that uses it takes it within 2 seconds{more}");
                Ok(())
            }
        }
    }
}

//! Tokens in the database of a cluster: read by its servers, written by a command.

use super::{Settings, SettingsError};
use crate::{
    http::TokenEntry,
    store::{DatabaseUrl, MAX_ENTRY_BYTES, MOST_TOKENS, TokenRow, TokenTable},
    time::Timestamp,
};
use std::{collections::HashMap, fmt, time::Duration};

/// For how long a token is kept that holds no more.
const KEPT_IN_VAIN: Duration = Duration::from_hours(30 * 24);

impl Settings {
    /// Whether tokens are in the database.
    pub fn has_database_tokens(&self) -> bool {
        self.database_tokens.unwrap_or(false)
    }

    /// The tokens in the database, where they are there. Connects, and blocks.
    ///
    /// # Errors
    /// [`SettingsError::Database`], or everything that is wrong with them.
    pub fn read_database_tokens(&self) -> Result<Vec<TokenEntry>, Vec<SettingsError>> {
        let Some(url) = self.database_url.as_ref().filter(|_| self.has_database_tokens()) else {
            return Ok(Vec::new());
        };
        let rows = TokenTable::read(url).map_err(|error| vec![error.into()])?;
        database_entries(&rows)
    }

    /// The same settings with these tokens besides.
    #[must_use]
    pub fn with_tokens(mut self, more: &[TokenEntry]) -> Self {
        self.token.extend_from_slice(more);
        self
    }
}

/// What rows say.
///
/// # Errors
/// Everything that is wrong with them: none is worth anything then.
pub(in crate::http) fn database_entries(rows: &[TokenRow]) -> Result<Vec<TokenEntry>, Vec<SettingsError>> {
    if rows.len() > MOST_TOKENS {
        return Err(vec![SettingsError::TooManyDatabaseTokens(MOST_TOKENS)]);
    }
    let (mut entries, mut mistakes) = (Vec::new(), Vec::new());
    for row in rows {
        match entry(row) {
            Ok(entry) => entries.push(entry),
            Err(why) => mistakes.push(SettingsError::DatabaseToken(token_id(row), why)),
        }
    }
    if mistakes.is_empty() { Ok(entries) } else { Err(mistakes) }
}

fn token_id(row: &TokenRow) -> String {
    hex::encode(row.sha256.get(..4).unwrap_or(&row.sha256))
}

/// Of what is wrong nothing is told but names: the rest may be a webhook's URL, which may be one that opens something.
fn entry(row: &TokenRow) -> Result<TokenEntry, String> {
    if row.entry.len() > MAX_ENTRY_BYTES {
        return Err(format!("its entry is longer than {MAX_ENTRY_BYTES} bytes"));
    }
    let entry: TokenEntry = serde_json::from_str(&row.entry).map_err(|error| {
        let said = error.to_string();
        match ["unknown field", "missing field"].into_iter().find(|about| said.starts_with(about)) {
            Some(_) => format!("its entry has an {}", said.split(',').next().unwrap_or_default())
                .replace("an missing", "a missing"),
            None => "its entry is no JSON object with the fields of a [[token]]".into(),
        }
    })?;
    if entry.sha256.eq_ignore_ascii_case(&hex::encode(&row.sha256)) {
        Ok(entry)
    } else {
        Err("its entry is of another sha256 than its row".into())
    }
}

/// The tokens in a database, for a command that changes them. Nobody else can meanwhile.
pub struct DatabaseTokens {
    table: TokenTable,
    rows: Vec<TokenRow>,
}

impl DatabaseTokens {
    /// Connects, and reads them. Blocks, and not on a thread that drives tasks.
    ///
    /// # Errors
    /// [`SettingsError::Database`], or everything that is wrong with them.
    pub fn open(url: &DatabaseUrl, to_write: bool) -> Result<(Self, Vec<TokenEntry>), Vec<SettingsError>> {
        let failed = |error| vec![SettingsError::Database(error)];
        let table = TokenTable::connect(url).map_err(failed)?;
        if to_write {
            table.lock().map_err(failed)?;
        }
        let rows = table.rows().map_err(failed)?;
        let entries = database_entries(&rows)?;
        Ok((Self { table, rows }, entries))
    }

    /// How many durable requests a requester has open, on all servers.
    ///
    /// # Errors
    /// [`SettingsError::Database`].
    pub fn open_requests(&self, requester: &str) -> Result<u64, SettingsError> {
        Ok(self.table.open_requests(requester)?)
    }

    /// Has these be the tokens from now on, and all servers told so. Blocks. Those that have held no more for 30 days are forgotten.
    ///
    /// # Errors
    /// [`SettingsError::TooManyDatabaseTokens`], [`SettingsError::DatabaseToken`], and [`SettingsError::Database`], after which nobody may
    /// know whether it is done.
    pub fn write(self, entries: &[TokenEntry]) -> Result<(), SettingsError> {
        let now = Timestamp::of_the_system();
        let known: HashMap<_, _> = self.rows.iter().map(|row| (&row.sha256[..], row)).collect();
        let (mut written, mut forgotten) = (Vec::new(), Vec::new());
        for entry in entries {
            let row = row(entry, now)?;
            match known.get(&row.sha256[..]) {
                Some(before) if before.entry != row.entry => written.push(row),
                Some(before) if is_long_over(entry, before.changed_at, now) => forgotten.push(row.sha256),
                Some(_) => {}
                None => written.push(row),
            }
        }
        if entries.len() - forgotten.len() > MOST_TOKENS {
            return Err(SettingsError::TooManyDatabaseTokens(MOST_TOKENS));
        }
        Ok(self.table.write(&written, &forgotten)?)
    }
}

fn row(entry: &TokenEntry, changed_at: Timestamp) -> Result<TokenRow, SettingsError> {
    let wrong = |why: String| SettingsError::DatabaseToken(entry.token_id(), why);
    let sha256 = hex::decode(&entry.sha256).map_err(|_| wrong("sha256 is not 64 hex digits".into()))?;
    let text = serde_json::to_string(entry).map_err(|error| wrong(error.to_string()))?;
    if text.len() > MAX_ENTRY_BYTES {
        return Err(wrong(format!("its entry is longer than {MAX_ENTRY_BYTES} bytes")));
    }
    Ok(TokenRow { sha256, entry: text, changed_at })
}

fn is_long_over(entry: &TokenEntry, changed_at: Timestamp, now: Timestamp) -> bool {
    let is_over = entry.revoked.is_some() || entry.end().is_some_and(|end| now.since(end) >= KEPT_IN_VAIN);
    is_over && now.since(changed_at) >= KEPT_IN_VAIN
}

impl fmt::Debug for DatabaseTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseTokens").field("tokens", &self.rows.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Revocation, Tokens};

    const LONG_AGO: Timestamp = Timestamp::from_millis(1);

    fn made() -> TokenRow {
        row(&Tokens::generate("Example Bank", Some("bank")).unwrap().1, LONG_AGO).unwrap()
    }

    #[test]
    fn a_row_says_what_a_table_says_and_the_token_is_not_in_it() {
        let (secret, entry) = Tokens::generate("Example Bank", None).unwrap();
        let entry = TokenEntry { keys: vec!["11qY".into()], revoked: Some(Revocation::End), ..entry };
        let row = row(&entry, LONG_AGO).unwrap();
        assert!(!row.entry.contains(&secret[3..]));
        assert_eq!(database_entries(&[row]).unwrap(), [entry]);
    }

    #[test]
    fn none_is_taken_where_one_does_not_read_and_nothing_of_it_is_told_but_names() {
        let with = |more: &str| {
            let row = made();
            TokenRow { entry: row.entry.replace('}', &format!(",{more}}}")), ..row }
        };
        let rows = [
            made(),
            with("\"tenant\":\"https://hook.example/secret\""),
            with("\"keys\":\"https://hook.example/secret\""),
            TokenRow { entry: made().entry, ..made() },
            TokenRow { entry: "secret".repeat(MAX_ENTRY_BYTES / 6 + 1), ..made() },
        ];
        let mistakes = database_entries(&rows).unwrap_err();
        let said: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
        assert_eq!(said.len(), 4);
        for ((said, row), part) in
            said.iter().zip(&rows[1..]).zip(["an unknown field `tenant`", "no JSON object", "another sha256", "65536"])
        {
            assert!(said.contains(&token_id(row)) && said.contains(part) && !said.contains("secret"), "{said}");
        }
    }

    #[test]
    fn there_are_no_more_than_every_server_can_have() {
        let rows = vec![made(); MOST_TOKENS + 1];
        assert!(matches!(
            database_entries(&rows).unwrap_err()[..],
            [SettingsError::TooManyDatabaseTokens(MOST_TOKENS)]
        ));
    }

    #[test]
    fn what_has_long_been_over_is_forgotten_and_nothing_else() {
        let now = Timestamp::of_the_system();
        let (_, entry) = Tokens::generate("a", None).unwrap();
        let revoked = TokenEntry { revoked: Some(Revocation::Keep), ..entry.clone() };
        let expired = TokenEntry { expires: Some("2001-01-01T00:00:00Z".into()), ..entry.clone() };
        assert!(is_long_over(&revoked, LONG_AGO, now) && is_long_over(&expired, LONG_AGO, now));
        assert!(!is_long_over(&revoked, now, now), "it has just been revoked");
        assert!(!is_long_over(&entry, LONG_AGO, now));
    }
}

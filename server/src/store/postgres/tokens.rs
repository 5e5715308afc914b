//! The table of tokens: read by all servers, written by the command.

use super::{
    error::{DbError, described},
    session::Session,
};
use crate::store::{
    columns::{millis, timestamp},
    tokens::{MAX_ENTRY_BYTES, MOST_TOKENS, TokenNews, TokenRow},
};
use tokio_postgres::Client;

/// Tells all there are from others, however they were changed.
const DIGEST: &str = "SELECT encode(sha256(convert_to(coalesce(string_agg(concat(encode(tokens.sha256, 'hex'), ' ', entry), \
    E'\\n' ORDER BY tokens.sha256), ''), 'UTF8')), 'hex') FROM tokens";
const ALL: &str =
    "SELECT sha256, left(entry, $1) AS entry, changed_at FROM tokens ORDER BY created_at, sha256 LIMIT $2";

/// Those who have read wait for nobody; whoever else wants to write does.
const LOCK: &str = "LOCK TABLE tokens IN SHARE ROW EXCLUSIVE MODE";
const WRITE: &str = "INSERT INTO tokens (sha256, entry, created_at, changed_at) VALUES ($1, $2, $3, $3) \
    ON CONFLICT (sha256) DO UPDATE SET entry = excluded.entry, changed_at = excluded.changed_at";
const FORGET: &str = "DELETE FROM tokens WHERE sha256 = ANY ($1)";

/// In the transaction, so that nobody is woken before there is something to be seen.
const TELL: &str = "SELECT pg_notify('countersign_' || lpad(to_hex(hashtext(coalesce(current_schema(), ''))), 8, '0') || '_tokens', '')";

const OPEN: &str = "SELECT count(*) FROM requests WHERE requester_id = $1 AND ended_at IS NULL";

/// What there is, where that is not what is `known`. That the table alone cannot be read is an answer too: requests have another one.
pub(super) async fn news(session: &Session, known: Option<&str>) -> Result<TokenNews, DbError> {
    match read(session.client(), known).await {
        Err(DbError::Postgres(error)) if is_about_the_table(&error) => Ok(TokenNews::Unreadable(described(&error))),
        Err(DbError::Column(error)) => Ok(TokenNews::Unreadable(error.to_string())),
        news => news,
    }
}

/// That it is not there, or not for this role.
fn is_about_the_table(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|code| code.code().starts_with("42"))
}

async fn read(client: &Client, known: Option<&str>) -> Result<TokenNews, DbError> {
    // Before the rows: should they change in between, they are read once more.
    let digest: String = client.query_one(DIGEST, &[]).await?.try_get(0)?;
    if known == Some(&*digest) {
        return Ok(TokenNews::Unchanged);
    }
    Ok(TokenNews::Changed { digest, rows: rows(client).await? })
}

pub(super) async fn rows(client: &Client) -> Result<Vec<TokenRow>, DbError> {
    let longest = i32::try_from(MAX_ENTRY_BYTES + 1).unwrap_or(i32::MAX);
    let most = i64::try_from(MOST_TOKENS + 1).unwrap_or(i64::MAX);
    let row = |row: &tokio_postgres::Row| {
        Ok(TokenRow {
            sha256: row.try_get("sha256")?,
            entry: row.try_get("entry")?,
            changed_at: timestamp(row, "changed_at")?,
        })
    };
    client.query(ALL, &[&longest, &most]).await?.iter().map(row).collect()
}

/// Begins a transaction that nobody else writes tokens beside.
pub(super) async fn begin(client: &Client) -> Result<(), DbError> {
    client.batch_execute("BEGIN").await?;
    Ok(client.batch_execute(LOCK).await?)
}

/// Writes these, forgets those, has all servers told, and ends the transaction.
pub(super) async fn commit(client: &Client, written: &[TokenRow], forgotten: &[Vec<u8>]) -> Result<(), DbError> {
    for TokenRow { sha256, entry, changed_at } in written {
        client.execute(WRITE, &[sha256, entry, &millis(*changed_at)]).await?;
    }
    if !forgotten.is_empty() {
        client.execute(FORGET, &[&forgotten]).await?;
    }
    client.execute(TELL, &[]).await?;
    Ok(client.batch_execute("COMMIT").await?)
}

/// How many durable requests a requester has open, on all servers.
pub(super) async fn open_requests(client: &Client, requester: &str) -> Result<u64, DbError> {
    let open: i64 = client.query_one(OPEN, &[&requester]).await?.try_get(0)?;
    Ok(u64::try_from(open).unwrap_or(0))
}

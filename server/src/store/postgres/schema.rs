//! The tables, how a database of an older version comes to have them, and which versions of this program may use it at once.
//!
//! **Two neighbouring versions run side by side**, so that servers can be replaced one after the other. A step therefore only adds: tables,
//! indexes, columns that may be null or have a default. What the version before it reads and writes stays as it was. What nobody uses any
//! more is taken away one version later, by a step that raises [`Step::oldest`] accordingly: a program that knows fewer steps than that is
//! refused, any other goes on with a database that knows more steps than itself.

use super::error::{ConnectError, DbError};
use tokio_postgres::Client;

/// What makes a database of version `n` one of version `n + 1`. A script that has been released is never changed.
struct Step {
    script: &'static str,
    /// The least that a program has to know to use the database from then on.
    oldest: i64,
}

const STEPS: [Step; 5] = [
    Step { script: include_str!("v1.sql"), oldest: 1 },
    Step { script: include_str!("v2.sql"), oldest: 1 },
    Step { script: include_str!("v3.sql"), oldest: 1 },
    Step { script: include_str!("v4.sql"), oldest: 1 },
    Step { script: include_str!("v5.sql"), oldest: 1 },
];

/// The version this program reads and writes.
pub(super) const VERSION: i64 = STEPS.len() as i64;

/// Held while the tables are changed: "countersign" in ASCII, as far as it fits.
const LOCK: i64 = 0x636f_756e_7465_7273;

/// Whether there is anything, and for whom.
const FIND: &str = "SELECT to_regclass('countersign_schema') IS NOT NULL";
const VERSIONS: &str = "SELECT version, oldest FROM countersign_schema";
const CREATE: &str = "CREATE TABLE countersign_schema (one_row boolean PRIMARY KEY DEFAULT true CHECK (one_row), \
    version bigint NOT NULL, oldest bigint NOT NULL, connections bigint NOT NULL DEFAULT 0); \
    INSERT INTO countersign_schema (version, oldest) VALUES (0, 0)";

/// Brings the database up to [`VERSION`], all steps in one transaction, unless it is there or beyond. One that is empty is left so where it
/// was not before: somebody is about to put a backup into it.
pub(super) async fn migrate(client: &Client, was_in_use: bool) -> Result<(), ConnectError> {
    if is_usable(client).await? {
        return Ok(());
    }
    if was_in_use && !exists(client).await? {
        return Err(ConnectError::Emptied);
    }
    // Somebody else may be about to do the same. Before the transaction, which would otherwise not see what they have made meanwhile. Where
    // this fails the session is given up, and the lock with it.
    client.execute("SELECT pg_advisory_lock($1)", &[&LOCK]).await?;
    client.batch_execute("BEGIN").await?;
    if !exists(client).await? {
        client.batch_execute(CREATE).await.map_err(ConnectError::of_migration)?;
    }
    let (version, _) = versions(client).await?;
    for (number, step) in (1_i64..).zip(STEPS).filter(|(number, _)| *number > version) {
        client.batch_execute(step.script).await.map_err(ConnectError::of_migration)?;
        let reached = "UPDATE countersign_schema SET version = $1, oldest = $2";
        client.execute(reached, &[&number, &step.oldest]).await?;
    }
    client.batch_execute("COMMIT").await?;
    client.execute("SELECT pg_advisory_unlock($1)", &[&LOCK]).await?;
    Ok(())
}

/// Whether nothing is to be done first; refuses what a later version has made unusable for this one.
async fn is_usable(client: &Client) -> Result<bool, ConnectError> {
    if !exists(client).await? {
        return Ok(false);
    }
    let (version, oldest) = versions(client).await?;
    if oldest > VERSION {
        return Err(ConnectError::NewerSchema { found: version, known: VERSION });
    }
    Ok(version >= VERSION)
}

async fn exists(client: &Client) -> Result<bool, DbError> {
    Ok(client.query_one(FIND, &[]).await?.try_get(0)?)
}

async fn versions(client: &Client) -> Result<(i64, i64), DbError> {
    let row = client.query_one(VERSIONS, &[]).await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a step may do beside a version that does not know it.
    const ADDITIONS: [&str; 5] =
        ["CREATE TABLE ", "CREATE UNLOGGED TABLE ", "CREATE INDEX ", "ALTER TABLE ", "CREATE UNIQUE INDEX "];

    #[test]
    fn a_step_only_adds_unless_it_says_so() {
        let mut oldest_before = 0;
        for (number, Step { script, oldest }) in (1_i64..).zip(STEPS) {
            assert!(oldest_before <= oldest && oldest <= number, "version {number}");
            let lines = script.lines().filter(|line| !line.trim_start().starts_with("--"));
            let text: String = lines.flat_map(|line| [line, "\n"]).collect();
            for statement in text.split(';').map(str::trim).filter(|statement| !statement.is_empty()) {
                let adds = ADDITIONS.iter().any(|addition| statement.starts_with(addition));
                let takes = ["DROP ", "RENAME ", "ALTER COLUMN "].iter().any(|word| statement.contains(word));
                // A new table may demand what it likes; a new column of an old one may not.
                let demands = statement.starts_with("ALTER TABLE ")
                    && statement.contains("NOT NULL")
                    && !statement.contains("DEFAULT");
                assert!(oldest == number || (adds && !takes && !demands), "version {number}: {statement}");
            }
            oldest_before = oldest;
        }
    }
}

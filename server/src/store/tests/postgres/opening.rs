//! Connecting to what is there, and refusing what will not do, with what to do about it.

use super::{
    super::{NOW, Written, accept, write},
    Database,
};
use crate::store::{ConnectError, DatabaseUrl, PostgresConfig, Store};
use tokio_postgres::error::SqlState;

fn refusal(url: DatabaseUrl) -> ConnectError {
    Store::connect(PostgresConfig::new(url), NOW).map(drop).unwrap_err()
}

fn connect(database: &Database) -> Store {
    Store::connect(PostgresConfig::new(database.url()), NOW).unwrap().0
}

#[test]
#[ignore = "needs PostgreSQL: make postgres-tests"]
fn a_server_of_the_version_that_has_to_be_alone_is_kept_out_and_keeps_out() {
    let database = Database::new();
    // As it takes the lock that all of this version share.
    let alone = "SELECT pg_advisory_lock(1668248942, hashtext(coalesce(current_schema(), '')))";
    let error = super::with_client(&database.text(), async |client| {
        client.execute("SET application_name = 'countersign-earlier'", &[]).await.unwrap();
        client.execute(alone, &[]).await.unwrap();
        refusal(database.url())
    });
    assert!(matches!(&error, ConnectError::InUse { by } if by.starts_with("countersign-earlier")), "{error}");
    let store = connect(&database);
    super::with_client(&database.text(), async |client| {
        let error = client.batch_execute(&format!("SET lock_timeout = '10ms'; {alone}")).await.unwrap_err();
        assert_eq!(error.code(), Some(&SqlState::LOCK_NOT_AVAILABLE), "nor the other way round");
    });
    drop(store);
}

#[test]
#[ignore = "needs PostgreSQL: make postgres-tests"]
fn a_later_version_is_refused_unless_it_is_the_next_and_says_that_this_one_may_stay() {
    let database = Database::new();
    drop(connect(&database));
    let known = database.number("SELECT version FROM countersign_schema");
    // The next version has added something.
    database.execute("UPDATE countersign_schema SET version = version + 1; ALTER TABLE requests ADD COLUMN more text");
    let store = connect(&database);
    assert_eq!(write(&store, accept(1)), Ok(Written::Done));
    drop(store);
    assert_eq!(database.number("SELECT version FROM countersign_schema"), known + 1, "it is left as it was");
    // The one after that has taken something away.
    database.execute("UPDATE countersign_schema SET version = version + 1, oldest = version");
    let error = refusal(database.url());
    assert!(
        matches!(error, ConnectError::NewerSchema { found, known: ours } if (found, ours) == (known + 2, known)),
        "{error}"
    );
}

#[test]
#[ignore = "needs PostgreSQL: make postgres-tests"]
fn two_that_begin_at_once_make_the_tables_once() {
    let database = Database::new();
    let stores: Vec<_> = std::thread::scope(|scope| {
        let begun: Vec<_> =
            (0..3).map(|_| scope.spawn(|| Store::connect(PostgresConfig::new(database.url()), NOW))).collect();
        begun.into_iter().map(|begun| begun.join().unwrap().unwrap()).collect()
    });
    assert_eq!(database.number("SELECT count(*) FROM nodes"), 3);
    assert_eq!(database.number("SELECT count(*) FROM countersign_schema"), 1);
    drop(stores);
    assert_eq!(database.number("SELECT count(*) FROM nodes"), 0);
}

#[test]
#[ignore = "needs PostgreSQL: make postgres-tests"]
fn a_role_needs_what_is_documented_and_no_more() {
    let database = Database::new();
    let role = format!("role_{}", database.name);
    database.execute(&format!("CREATE ROLE {role} LOGIN"));
    let error = refusal(database.url_of(&role));
    assert!(matches!(error, ConnectError::Migration(_)), "{error}");
    drop(connect(&database));
    database.execute(&format!("GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO {role}"));
    let error = refusal(database.url_of(&role));
    assert!(matches!(&error, ConnectError::Privileges(missing) if missing.contains("DELETE on requests")), "{error}");
    database.execute(&format!("GRANT DELETE ON ALL TABLES IN SCHEMA public TO {role}"));
    let (store, _) = Store::connect(PostgresConfig::new(database.url_of(&role)), NOW).unwrap();
    assert_eq!(write(&store, accept(1)), Ok(Written::Done));
    drop(store);
    database.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

#[test]
#[ignore = "needs PostgreSQL: make postgres-tests"]
fn what_takes_no_writes_or_is_another_program_s_is_refused() {
    let database = Database::new();
    database.execute(&format!("ALTER DATABASE {} SET default_transaction_read_only = on", database.name));
    let error = refusal(database.url()).to_string();
    assert!(error.contains("takes no writes"), "{error}");

    let database = Database::new();
    database.execute("CREATE TABLE requests (something text)");
    let error = refusal(database.url());
    assert!(matches!(&error, ConnectError::Migration(said) if said.contains("requests")), "{error}");
    assert_eq!(database.number("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), 1, "all or nothing");

    let missing: DatabaseUrl = format!("{}nowhere", database.prefix).parse().unwrap();
    let error = refusal(missing).to_string();
    assert!(error.contains("database \"nowhere\" does not exist"), "{error}");
}

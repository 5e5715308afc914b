//! What is PostgreSQL's alone, on a real one: `make postgres-tests` starts it and says where it is.

mod cluster;
mod connection;
mod hub;
mod opening;
mod proxy;
mod replaced;
mod restored;

use crate::store::DatabaseUrl;
use std::{
    env, process,
    sync::atomic::{AtomicU32, Ordering},
};
use tokio::runtime;
use tokio_postgres::{Client, Config, NoTls};

/// A database of a test's own.
pub(super) struct Database {
    prefix: String,
    name: String,
}

impl Database {
    pub(super) fn new() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let prefix = env::var("COUNTERSIGN_TEST_POSTGRES").expect("make postgres-tests says where PostgreSQL is");
        let name = format!("test_{}_{}", process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        execute(&format!("{prefix}postgres"), &format!("CREATE DATABASE {name}"));
        Self { prefix, name }
    }

    pub(super) fn text(&self) -> String {
        format!("{}{}", self.prefix, self.name)
    }

    pub(super) fn url(&self) -> DatabaseUrl {
        self.text().parse().unwrap()
    }

    /// Where it is for another role.
    fn url_of(&self, role: &str) -> DatabaseUrl {
        self.text().replace("postgres@", &format!("{role}@")).parse().unwrap()
    }

    /// The directory that PostgreSQL's socket is in.
    fn directory(&self) -> String {
        let encoded = self.prefix.rsplit('@').next().unwrap().trim_end_matches('/');
        encoded.replace("%2F", "/")
    }

    /// Where it is through a proxy on this port.
    fn url_through(&self, port: u16) -> DatabaseUrl {
        format!("postgres://postgres@127.0.0.1:{port}/{}", self.name).parse().unwrap()
    }

    fn execute(&self, sql: &str) {
        execute(&self.text(), sql);
    }

    /// The first column of the first row.
    fn number(&self, sql: &str) -> i64 {
        with_client(&self.text(), async |client| client.query_one(sql, &[]).await.unwrap().get(0))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        execute(&format!("{}postgres", self.prefix), &format!("DROP DATABASE {} WITH (FORCE)", self.name));
    }
}

fn execute(url: &str, sql: &str) {
    with_client(url, async |client| client.batch_execute(sql).await.unwrap());
}

fn with_client<T>(url: &str, then: impl AsyncFnOnce(&Client) -> T) -> T {
    let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let config: Config = url.parse().unwrap();
        let (client, connection) = config.connect(NoTls).await.unwrap();
        let driver = tokio::spawn(connection);
        let result = then(&client).await;
        drop(client);
        driver.await.unwrap().unwrap();
        result
    })
}

//! The faults, one after the other.

use crate::{Table, row::Row, world::World};
use countersign_tests::{
    cluster::{DatabaseProxy, Mix, Mood},
    postgres::Cluster,
};
use std::time::Duration;
use tokio::time::sleep;

const NODES: usize = 3;

/// What the databases here run with: nothing has to outlive the machine.
const SETTINGS: [&str; 1] = ["fsync=off"];

/// Where the servers find the database, each by a proxy of its own.
async fn behind_proxies(database: &Cluster) -> (Vec<DatabaseProxy>, Vec<String>) {
    let mut proxies = Vec::new();
    for _ in 0..NODES {
        proxies.push(DatabaseProxy::before(database.socket()).await);
    }
    let urls = proxies.iter().map(|proxy| proxy.url("postgres")).collect();
    (proxies, urls)
}

fn set_all(proxies: &[DatabaseProxy], mood: Mood) {
    for proxy in proxies {
        proxy.set(mood);
    }
}

impl Table {
    pub(crate) async fn all(&mut self) {
        self.with_database("nothing", true, async |_, world| world.ledger.more(100).await).await;
        self.with_database("a node killed (SIGKILL) and started again", true, async |_, world| {
            for n in 0..NODES {
                world.nodes[n].kill().await;
                world.ledger.more(30).await;
                world.nodes[n].start().await;
                world.ledger.more(30).await;
            }
        })
        .await;
        self.with_database("a node stopped (SIGSTOP) for 8 s, beyond its lease", false, async |_, world| {
            world.nodes[0].signal("STOP").await;
            sleep(Duration::from_secs(8)).await;
            world.nodes[0].signal("CONT").await;
        })
        .await;
        self.with_database("the database killed (SIGKILL) and restarted", true, async |database, world| {
            database.kill();
            database.restart().await;
            world.ledger.more(50).await;
            database.kill();
            database.restart().await;
        })
        .await;
        self.with_database("the database stopped (SIGSTOP) for 8 s", false, async |database, _| {
            database.signal("STOP");
            sleep(Duration::from_secs(8)).await;
            database.signal("CONT");
        })
        .await;
        self.with_proxies("connections cut right after one commit in ten", true, 1, async |proxies, world| {
            set_all(proxies, Mood::CutsAfterCommits(10));
            world.ledger.more(100).await;
            set_all(proxies, Mood::Passes);
        })
        .await;
        self.with_proxies("one notification in five lost", false, 1, async |proxies, world| {
            set_all(proxies, Mood::DropsNotifications(20));
            world.ledger.more(300).await;
            set_all(proxies, Mood::Passes);
        })
        .await;
        self.with_proxies("no notification comes for 5 s, at each node in turn", false, 1, async |proxies, _| {
            for proxy in proxies {
                proxy.set(Mood::DropsNotifications(100));
                sleep(Duration::from_secs(5)).await;
                proxy.set(Mood::Passes);
            }
        })
        .await;
        self.with_proxies("a node cut off from the database for 10 s", false, 0, async |proxies, _| {
            proxies[0].set(Mood::Away);
            sleep(Duration::from_secs(10)).await;
            proxies[0].set(Mood::Passes);
        })
        .await;
        self.with_proxies("a node that hears nothing of the database for 10 s", false, 0, async |proxies, _| {
            proxies[0].set(Mood::Silent);
            sleep(Duration::from_secs(10)).await;
            proxies[0].set(Mood::Passes);
        })
        .await;
    }

    async fn with_database(
        &mut self,
        fault: &'static str,
        is_quick: bool,
        trouble: impl AsyncFnOnce(&mut Cluster, &mut World),
    ) {
        if !self.wants(fault, is_quick) {
            return;
        }
        let mut database = Cluster::start(&SETTINGS).await;
        let urls = vec![database.url("postgres"); NODES];
        let world = World::start(&urls, self.arguments.logs.as_deref()).await;
        let sum = world
            .live_through(self.arguments.backends, Mix::All, async |world| trouble(&mut database, world).await)
            .await;
        self.note(Row::new(fault, sum));
    }

    /// The fault has to swallow at least so much.
    async fn with_proxies(
        &mut self,
        fault: &'static str,
        is_quick: bool,
        least: usize,
        trouble: impl AsyncFnOnce(&[DatabaseProxy], &mut World),
    ) {
        if !self.wants(fault, is_quick) {
            return;
        }
        let database = Cluster::start(&SETTINGS).await;
        let (proxies, urls) = behind_proxies(&database).await;
        let world = World::start(&urls, self.arguments.logs.as_deref()).await;
        let sum =
            world.live_through(self.arguments.backends, Mix::All, async |world| trouble(&proxies, world).await).await;
        let swallowed: usize = proxies.iter().map(DatabaseProxy::swallowed).sum();
        self.note(Row::new(fault, sum).expect(swallowed >= least, "nothing was swallowed"));
    }
}

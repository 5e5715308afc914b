//! The faults, one after the other.

use crate::{
    Table,
    row::Row,
    world::{Wallets, World},
};
use countersign_tests::{
    cluster::{Caller, DatabaseProxy, Mix, Mood, Node},
    postgres::Cluster,
};
use futures_util::{StreamExt as _, future::join_all, stream};
use std::time::Duration;
use tokio::time::sleep;

pub(crate) const NODES: usize = 3;

/// What the databases here run with: nothing has to outlive the machine.
pub(crate) const SETTINGS: [&str; 1] = ["fsync=off"];

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
        self.with_database("nothing", false, async |_, world| world.ledger.more(100).await).await;
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
        self.synchronous_failover().await;
        self.asynchronous_failover().await;
        self.blows().await;
        self.storm().await;
        self.race("one idempotency key at two nodes at the same moment, 400 times", true, 400, Caller::race_for_a_key)
            .await;
        self.race(
            "signed, withdrawn and out of time at the same moment, 400 times",
            false,
            400,
            Caller::race_for_an_end,
        )
        .await;
        self.first_starts().await;
        self.rolling_restart().await;
    }

    /// What was confirmed is on both.
    async fn synchronous_failover(&mut self) {
        const FAULT: &str = "a synchronous standby promoted";
        if !self.wants(FAULT, false) {
            return;
        }
        let mut primary = Cluster::start(&SETTINGS).await;
        let standby = primary.standby().await;
        primary.wait_for_standbys().await;
        let urls = vec![standby.url_with(&primary, "postgres"); NODES];
        let world = World::start(&urls, self.arguments.logs.as_deref()).await;
        let trouble = async |world: &mut World| {
            primary.kill();
            standby.execute("postgres", "SELECT pg_promote()").await;
            world.ledger.more(50).await;
        };
        let sum = world.live_through(self.arguments.backends, Mix::All, trouble).await;
        self.note(Row::new(FAULT, sum));
    }

    /// What was confirmed in the last second is gone, and is to be gone for everybody.
    async fn asynchronous_failover(&mut self) {
        const FAULT: &str = "an asynchronous standby promoted that lacks a second";
        if !self.wants(FAULT, false) {
            return;
        }
        let mut primary = Cluster::start(&SETTINGS).await;
        let standby = primary.standby().await;
        let between = DatabaseProxy::before(primary.socket()).await;
        standby.follow(between.port()).await;
        let urls = vec![standby.url_with(&primary, "postgres"); NODES];
        let world = World::start(&urls, self.arguments.logs.as_deref()).await;
        let trouble = async |world: &mut World| {
            between.set(Mood::Away);
            sleep(Duration::from_secs(1)).await;
            world.ledger.forgets();
            primary.kill();
            standby.execute("postgres", "SELECT pg_promote()").await;
            world.ledger.more(50).await;
        };
        let sum = world.live_through(self.arguments.backends, Mix::All, trouble).await;
        self.note(Row { may_lose: true, ..Row::new(FAULT, sum) });
    }

    /// Whoever comes first makes the tables, and the others find them.
    async fn first_starts(&mut self) {
        const FAULT: &str = "three nodes started at once on an empty database, four times";
        if !self.wants(FAULT, false) {
            return;
        }
        let database = Cluster::start(&SETTINGS).await;
        for round in 0..4 {
            let name = format!("round{round}");
            database.execute("postgres", &format!("CREATE DATABASE {name}")).await;
            let logs = self.arguments.logs.as_deref();
            let mut nodes: Vec<_> =
                (0..NODES).map(|n| Node::new(&format!("{name}-{n}"), database.url(&name), logs)).collect();
            join_all(nodes.iter_mut().map(Node::start)).await;
            if round == 3 {
                let sum = World::with(nodes, Wallets::Few)
                    .await
                    .live_through(self.arguments.backends, Mix::All, async |world| world.ledger.more(10).await)
                    .await;
                self.note(Row::new(FAULT, sum));
            }
        }
    }

    /// Nobody is to notice that all servers are replaced one after the other.
    async fn rolling_restart(&mut self) {
        const FAULT: &str = "each node restarted in good order (SIGTERM)";
        if !self.wants(FAULT, true) {
            return;
        }
        let database = Cluster::start(&SETTINGS).await;
        let world = World::start(&vec![database.url("postgres"); NODES], self.arguments.logs.as_deref()).await;
        let trouble = async |world: &mut World| {
            for n in 0..NODES {
                world.nodes[n].stop().await;
                world.nodes[n].start().await;
                world.ledger.more(20).await;
            }
        };
        let sum = world.live_through(self.arguments.backends, Mix::Signed, trouble).await;
        self.note(Row::new(FAULT, sum).quiet());
    }

    /// Nodes and the database by turns, wherever they are in what they do.
    async fn blows(&mut self) {
        const FAULT: &str = "nodes and database killed (SIGKILL) by turns";
        if !self.wants(FAULT, false) {
            return;
        }
        let mut database = Cluster::start(&SETTINGS).await;
        let world = World::start(&vec![database.url("postgres"); NODES], self.arguments.logs.as_deref()).await;
        let rounds = self.arguments.rounds;
        let trouble = async |world: &mut World| {
            for round in 0..rounds {
                // The moment of the blow, which nothing waits for.
                sleep(Duration::from_millis(fastrand::u64(50..1500))).await;
                if round % 2 == 0 {
                    database.kill();
                    database.restart().await;
                } else {
                    let node = &mut world.nodes[round / 2 % NODES];
                    node.kill().await;
                    node.start().await;
                }
            }
        };
        let sum = world.live_through(self.arguments.backends, Mix::All, trouble).await;
        self.note(Row::new(FAULT, sum));
    }

    /// One after the other and several at once, as chance has it.
    async fn storm(&mut self) {
        const FAULT: &str = "all of these by chance";
        if !self.wants(FAULT, false) {
            return;
        }
        let mut database = Cluster::start(&SETTINGS).await;
        let (proxies, urls) = behind_proxies(&database).await;
        let world = World::start(&urls, self.arguments.logs.as_deref()).await;
        let rounds = self.arguments.rounds;
        let trouble = async |world: &mut World| {
            for _ in 0..rounds {
                let n = fastrand::usize(..NODES);
                let moods = [
                    Mood::Passes,
                    Mood::Passes,
                    Mood::CutsAfterCommits(20),
                    Mood::DropsNotifications(50),
                    Mood::DropsNotifications(100),
                    Mood::Silent,
                    Mood::Away,
                ];
                for proxy in &proxies {
                    proxy.set(moods[fastrand::usize(..moods.len())]);
                }
                match fastrand::usize(..4) {
                    0 => world.nodes[n].kill().await,
                    1 => world.nodes[n].signal("STOP").await,
                    2 => {
                        database.kill();
                        database.restart().await;
                    }
                    _ => {}
                }
                sleep(Duration::from_millis(fastrand::u64(200..6500))).await;
                // A node that starts needs its database.
                set_all(&proxies, Mood::Passes);
                world.nodes[n].signal("CONT").await;
                if !world.nodes[n].is_running() {
                    world.nodes[n].start().await;
                }
            }
        };
        let sum = world.live_through(self.arguments.backends, Mix::All, trouble).await;
        self.note(Row::new(FAULT, sum));
    }

    /// Hundreds of races, so many at a time.
    async fn race(&mut self, fault: &'static str, is_quick: bool, times: usize, once: impl AsyncFn(&Caller, usize)) {
        if !self.wants(fault, is_quick) {
            return;
        }
        let database = Cluster::start(&SETTINGS).await;
        let world = World::start(&vec![database.url("postgres"); NODES], self.arguments.logs.as_deref()).await;
        let race = async |world: &mut World| {
            let (caller, once) = (&world.caller(0), &once);
            stream::iter(0..times).for_each_concurrent(24, async |n| once(caller, n).await).await;
        };
        let sum = world.live_through(0, Mix::All, race).await;
        self.note(Row::new(fault, sum));
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

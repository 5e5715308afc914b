//! All servers replaced one after the other, with as many wallets as a small installation has.

use crate::{
    Table,
    faults::{NODES, SETTINGS},
    row::Row,
    world::{Wallets, World},
};
use countersign_tests::{
    cluster::{Mix, Node},
    postgres::Cluster,
};

impl Table {
    /// Nobody is to notice it.
    pub(crate) async fn rolling(&mut self) {
        let database = Cluster::start(&SETTINGS).await;
        let logs = self.arguments.logs.as_deref();
        let url = database.url("postgres");
        let mut nodes: Vec<_> = (0..NODES).map(|n| Node::new(&format!("node{n}"), url.clone(), logs)).collect();
        for node in &mut nodes {
            node.start().await;
        }
        let wallets = self.arguments.wallets;
        let world = World::with(nodes, Wallets::Many(wallets)).await;
        let trouble = async |world: &mut World| {
            for n in 0..NODES {
                world.nodes[n].stop().await;
                world.nodes[n].start().await;
                world.ledger.more(200).await;
            }
        };
        let sum = world.live_through(self.arguments.backends, Mix::Signed, trouble).await;
        println!(
            "{wallets} wallets: {} asked, {} under way, away for at most {:.1} s, at most {} back within a second",
            sum.asked,
            sum.under_way,
            sum.away.as_secs_f64(),
            sum.most_returns
        );
        self.note(Row::new("each node restarted in good order (SIGTERM)", sum).quiet());
    }
}

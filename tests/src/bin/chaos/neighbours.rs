//! Others who use the same server: strangers, wallets and requesters, each taking all it can.

use crate::{World, durable::Durable, public_key, quiet_server, row::Row, server_with_tokens};
use countersign_protocol::ServerFrame;
use countersign_server::http::Tokens;
use countersign_tests::{
    Backend,
    chaos::{Honest, hostile},
};
use std::net::SocketAddr;

impl World {
    /// Hostile connections that last as long as what `attack` gives.
    pub(crate) async fn flood<T>(
        &mut self,
        fault: &'static str,
        connections: u64,
        attack: impl AsyncFnOnce(SocketAddr) -> T,
    ) {
        if !self.wants(fault) {
            return;
        }
        // All of them come from two addresses of one machine, and have no token.
        let raised = ["--connects-per-second=100000", "--requests-per-second=100000", "--max-connections-per-ip=10000"];
        let server = quiet_server(&raised).await;
        let wanted = self.arguments.signatures;
        let seen = Honest::live_through(server.address, None, async |honest| {
            let attack = attack(server.address).await;
            honest.signatures(wanted).await;
            drop(attack);
        })
        .await;
        let quiet = seen.noticed.is_empty();
        self.note(Row::of(fault, &server, connections + 32, seen).expect(quiet, "somebody noticed it"));
        server.kill().await;
    }

    pub(crate) async fn hoarder(&mut self) {
        const FAULT: &str = "one token queues all it may, for a week";
        if !self.wants(FAULT) {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let (honest_token, honest_entry) = Tokens::generate("Example Bank", None).unwrap();
        let (hostile_token, hostile_entry) = Tokens::generate("Hoarder", None).unwrap();
        let tokens = [honest_entry, hostile_entry];
        let mut server = server_with_tokens(&folder, &tokens).await;
        let keys: Vec<_> = (0..16).map(|n| public_key(1 + n)).collect();
        let wanted = self.arguments.signatures;
        let mut taken = 0;
        let mut seen = Honest::live_through(server.address, Some(&honest_token), async |honest| {
            taken = hostile::hoarder(server.address, &hostile_token, &keys).await;
            honest.signatures(wanted).await;
        })
        .await;
        let peak = server.peak();
        server.kill().await;
        // Nor after a restart.
        server = server_with_tokens(&folder, &tokens).await;
        let after = Honest::live_through(server.address, Some(&honest_token), async |honest| {
            honest.signatures(wanted / 4).await;
        })
        .await;
        seen.calls += after.calls;
        for (what, times) in after.noticed {
            *seen.noticed.entry(what).or_default() += times;
        }
        let quiet = seen.noticed.is_empty();
        let row = Row { peak: peak.max(server.peak()), ..Row::of(FAULT, &server, 32, seen) };
        self.note(row.expect(quiet, "others noticed it").expect(taken > 10, format!("only {taken} were taken")));
        server.kill().await;
    }

    /// Requests of one requester that a wallet leaves lying are not in the way of another's.
    pub(crate) async fn crowded_key(&mut self) {
        const FAULT: &str = "one token queues 500 for a key that another asks";
        if !self.wants(FAULT) {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let (honest_token, honest_entry) = Tokens::generate("Example Bank", None).unwrap();
        let (hostile_token, hostile_entry) = Tokens::generate("Hoarder", None).unwrap();
        let server = server_with_tokens(&folder, &[honest_entry, hostile_entry]).await;
        let wanted = self.arguments.signatures;
        let (mut taken, mut signed) = (0, 0);
        let seen = Honest::live_through(server.address, Some(&honest_token), async |honest| {
            let mut hoarder = Backend::connect(server.address).await.with_token(&hostile_token);
            let left_lying = Durable::queue(&mut hoarder, 98, 0).await;
            for n in 0..500 {
                let reply = hoarder.post_with(&left_lying.call(&n.to_string()), &[("prefer", "respond-async")]).await;
                taken += usize::from(reply.status == 202);
            }
            let mut wallet = left_lying.wallet(server.address).await;
            let mut backend = Backend::connect(server.address).await.with_token(&honest_token);
            let mut call = left_lying.call("mine");
            call["queue"] = false.into();
            for _ in 0..20 {
                let asking = backend.post(&call);
                let answering = async {
                    loop {
                        let ServerFrame::SignRequest(request) = wallet.next().await else { continue };
                        if request.requester.name.as_str() == "Example Bank" {
                            return wallet.send(&wallet.answer(&request)).await;
                        }
                    }
                };
                signed += usize::from(tokio::join!(asking, answering).0.status == 200);
            }
            honest.signatures(wanted).await;
        })
        .await;
        let quiet = seen.noticed.is_empty();
        self.note(
            Row::of(FAULT, &server, 32, seen)
                .expect(quiet, "somebody noticed it")
                .expect(taken > 100, format!("only {taken} were taken"))
                .expect(signed == 20, format!("{signed} of 20 of the other's were signed")),
        );
        server.kill().await;
    }
}

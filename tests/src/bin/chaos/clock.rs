//! The system's clock, while somebody sets it.

use crate::{World, durable::Durable, row::Row, server_on};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use countersign_server::Timestamp;
use countersign_tests::{
    Backend,
    chaos::{Honest, Machine},
    within,
};
use serde_json::Value;
use std::time::Duration;

/// What the machine's clock shows when it is so many seconds ahead.
fn shown_s(ahead_s: i64) -> i64 {
    i64::try_from(Timestamp::of_the_system().as_millis() / 1000).unwrap() + ahead_s
}

impl World {
    /// Deadlines keep their distance, also over a restart, and whatever says when it is follows the clock.
    pub(crate) async fn clock(&mut self, fault: &'static str, at_the_start_s: i64, then_s: &[i64]) {
        if !self.wants(fault) {
            return;
        }
        let machine = Machine::new();
        machine.set_clock(at_the_start_s);
        let folder = tempfile::tempdir().unwrap();
        let server = server_on(&machine, &folder, &[]).await;
        let mut backend = Backend::connect(server.address).await;
        let durable = Durable::queue(&mut backend, 91, 5).await;
        let wanted = self.arguments.signatures / then_s.len();
        let seen = Honest::live_through(server.address, None, async |honest| {
            for ahead_s in then_s {
                machine.set_clock(*ahead_s);
                within("the server to follow the clock", async {
                    loop {
                        let resource = backend.get(&format!("/v1/requests/{}", durable.ids[0])).await.json;
                        let left_s = resource["expires_at_ms"].as_i64().unwrap() / 1000 - shown_s(*ahead_s);
                        if (500..=601).contains(&left_s) {
                            break;
                        }
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                })
                .await;
                honest.signatures(wanted).await;
            }
        })
        .await;
        let row = Row::of(fault, &server, 32, seen);
        // The end of the process, and not of the requests.
        server.kill().await;
        let server = server_on(&machine, &folder, &[]).await;
        let mut backend = Backend::connect(server.address).await;
        durable.sign(server.address).await;
        let signed = durable.signed(&mut backend).await;
        let receipt = backend.get(&format!("/v1/requests/{}/receipt", durable.ids[0])).await.text;
        let off_s = issued_s(&receipt) - shown_s(*then_s.last().unwrap());
        let quiet = row.seen.noticed.is_empty();
        self.note(
            row.expect(quiet, "somebody noticed it")
                .expect(signed == durable.ids.len(), format!("{signed} of {} were signed", durable.ids.len()))
                .expect(off_s.abs() <= 60, format!("a receipt was issued {off_s} s off")),
        );
        server.kill().await;
    }
}

/// When a receipt was issued, in seconds since the epoch.
fn issued_s(receipt: &str) -> i64 {
    let claims = URL_SAFE_NO_PAD.decode(receipt.split('.').nth(1).expect("a JWS")).unwrap();
    serde_json::from_slice::<Value>(&claims).unwrap()["iat"].as_i64().unwrap()
}

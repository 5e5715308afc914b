//! An operator who ends what is open, closes connections and blocks keys, whenever they like.

use super::{
    coverage::Seen,
    events::{Act, Event},
    ground::Ground,
    plan::KEYS,
    servers::Servers,
    storage::disk,
};
use countersign_protocol::RequestId;
use countersign_server::{SigningService, cluster::NodeId};
use std::sync::Arc;

/// Acts at one of the servers that are running.
pub(super) fn act(ground: &mut Ground, servers: &mut Servers<'_>, act: Act) {
    if let Act::Unblock(key) = act {
        ground.blocked.remove(&key);
        servers.will_look_at_blocks(ground);
    }
    let Some(at) = servers.awake(ground) else { return };
    let Some(server) = servers.running(at) else { return };
    let service = server.service;
    match act {
        Act::EndOne => end_one(ground, service),
        Act::EndAllOf(key) => {
            for id in service.simulate_open(&KEYS[key].1.to_bytes()) {
                end(ground, service, id, None);
            }
        }
        Act::Disconnect(key) => {
            if service.simulate_disconnect(&KEYS[key].1.to_bytes()) > 0 {
                ground.see(Seen::DisconnectedByOperator);
                ground.note(("disconnected", key, at), || format!("operator: closes key {key}'s connections at {at}"));
            }
        }
        Act::Block(key, for_ms) => {
            ground.see(Seen::Blocked);
            ground.blocked.insert(key);
            ground.note(("blocked", key, at), || format!("operator: blocks key {key} at {at} for {for_ms} ms"));
            server.look_at_blocks(ground);
            servers.will_look_at_blocks(ground);
            ground.after(for_ms, Event::Operator(Act::Unblock(key)));
        }
        Act::Unblock(key) => {
            ground.note(("unblocked", key, at), || format!("operator: unblocks key {key} at {at}"));
            server.look_at_blocks(ground);
        }
    }
}

/// Ends one of the requests that the operator knows of: those that are open here, and those in the database, whosever they are.
fn end_one(ground: &mut Ground, service: &SigningService) {
    let kept = Arc::clone(&ground.disk);
    let elsewhere: Vec<_> =
        disk(&kept).records().filter(|record| record.end.is_none()).map(|record| (record.id, record.node)).collect();
    let here = KEYS.iter().flat_map(|(_, key)| service.simulate_open(&key.to_bytes())).map(|id| (id, None));
    let all: Vec<_> = here.chain(elsewhere).collect();
    if let Some((id, owner)) = all.get(ground.rng.usize(..all.len().max(1))) {
        end(ground, service, *id, *owner);
    }
}

fn end(ground: &mut Ground, service: &SigningService, id: RequestId, owner: Option<NodeId>) {
    ground.see(Seen::EndedByOperator);
    ground.note(("ended by operator", id), || format!("operator: ends {id}"));
    ground.checker.closing(id);
    service.simulate_end_by_operator(id, owner);
}

//! An operator who ends what is open, closes connections and blocks keys, whenever they like.

use super::{
    coverage::Seen,
    environment::Environment,
    events::{Act, Event},
    plan::KEYS,
    servers::Servers,
    storage::disk,
};
use countersign_protocol::RequestId;
use countersign_server::{SigningService, cluster::NodeId};
use std::sync::Arc;

/// Acts at one of the servers that are running.
pub(super) fn act(environment: &mut Environment, servers: &mut Servers<'_>, act: Act) {
    if let Act::Unblock(key) = act {
        environment.blocked.remove(&key);
        servers.will_look_at_blocks(environment);
    }
    let Some(at) = servers.awake(environment) else { return };
    let Some(server) = servers.running(at) else { return };
    let service = server.service;
    match act {
        Act::EndOne => end_one(environment, service),
        Act::EndAllOf(key) => {
            for id in service.simulate_open(&KEYS[key].1.to_bytes()) {
                end(environment, service, id, None);
            }
        }
        Act::Disconnect(key) => {
            if service.simulate_disconnect(&KEYS[key].1.to_bytes()) > 0 {
                environment.see(Seen::DisconnectedByOperator);
                environment
                    .note(("disconnected", key, at), || format!("operator: closes key {key}'s connections at {at}"));
            }
        }
        Act::Block(key, for_ms) => {
            environment.see(Seen::Blocked);
            environment.blocked.insert(key);
            environment.note(("blocked", key, at), || format!("operator: blocks key {key} at {at} for {for_ms} ms"));
            server.look_at_blocks(environment);
            servers.will_look_at_blocks(environment);
            environment.after(for_ms, Event::Operator(Act::Unblock(key)));
        }
        Act::Unblock(key) => {
            environment.note(("unblocked", key, at), || format!("operator: unblocks key {key} at {at}"));
            server.look_at_blocks(environment);
        }
    }
}

/// Ends one of the requests that the operator knows of: those that are open here, and those in the database, whosever they are.
fn end_one(environment: &mut Environment, service: &SigningService) {
    let kept = Arc::clone(&environment.disk);
    let elsewhere: Vec<_> =
        disk(&kept).records().filter(|record| record.end.is_none()).map(|record| (record.id, record.node)).collect();
    let here = KEYS.iter().flat_map(|(_, key)| service.simulate_open(&key.to_bytes())).map(|id| (id, None));
    let all: Vec<_> = here.chain(elsewhere).collect();
    if let Some((id, owner)) = all.get(environment.rng.usize(..all.len().max(1))) {
        end(environment, service, *id, *owner);
    }
}

fn end(environment: &mut Environment, service: &SigningService, id: RequestId, owner: Option<NodeId>) {
    environment.see(Seen::EndedByOperator);
    environment.note(("ended by operator", id), || format!("operator: ends {id}"));
    environment.checker.closing(id);
    service.simulate_end_by_operator(id, owner);
}

//! Connections: two pipes each, in which nothing overtakes, is lost or comes twice as long as the connection lasts.

use super::{
    coverage::Seen,
    environment::{Environment, Fault},
    events::{DeviceId, Event, LinkId, Millis, ServerId, Side},
};
use countersign_protocol::{AckOutcome, Batch, RequestId, ServerFrame};
use std::{collections::VecDeque, rc::Rc};

/// What goes over a connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Wire {
    /// The handshake is done.
    Open,
    Text(Rc<str>),
    Binary,
    Ping,
    Pong,
    Close(u16, &'static str),
}

#[derive(Debug, Default)]
struct Pipe {
    wires: VecDeque<Wire>,
    /// Nothing comes out before.
    floor: Millis,
    /// It stalls until then.
    stalled_until: Millis,
    /// Nothing that is put in comes out any more.
    is_mute: bool,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) device: DeviceId,
    pub(super) server: ServerId,
    to_server: Pipe,
    to_wallet: Pipe,
    is_cut: bool,
    /// The server cannot write, and so does not do anything else either.
    pub(super) is_blocked: bool,
}

impl Link {
    fn towards(&mut self, side: Side) -> &mut Pipe {
        match side {
            Side::Server => &mut self.to_server,
            Side::Wallet => &mut self.to_wallet,
        }
    }
}

/// All connections there have ever been.
#[derive(Debug)]
pub(super) struct Network {
    links: Vec<Link>,
    /// The longest one way usually takes.
    latency: Millis,
}

impl Network {
    pub(super) fn new(latency: Millis) -> Self {
        Self { links: Vec::new(), latency }
    }

    pub(super) fn latency(&self, environment: &mut Environment) -> Millis {
        if environment.mishap(2) {
            environment.between(self.latency, 3_000)
        } else {
            environment.between(1, self.latency)
        }
    }

    pub(super) fn connect(&mut self, device: DeviceId, server: ServerId) -> LinkId {
        let (to_server, to_wallet) = Default::default();
        self.links.push(Link { device, server, to_server, to_wallet, is_cut: false, is_blocked: false });
        self.links.len() - 1
    }

    pub(super) fn link(&mut self, link: LinkId) -> &mut Link {
        &mut self.links[link]
    }

    /// Whether everything has come through on this connection for so long.
    pub(super) fn is_sound(&self, environment: &Environment, link: LinkId, lately: Millis) -> bool {
        let Link { to_server, to_wallet, is_cut, is_blocked, .. } = &self.links[link];
        let flows = |pipe: &Pipe| !pipe.is_mute && pipe.stalled_until + lately <= environment.now;
        flows(to_server) && flows(to_wallet) && !is_cut && !is_blocked
    }

    pub(super) fn is_blocked(&self, link: LinkId) -> bool {
        self.links[link].is_blocked
    }

    /// Puts something into the pipe towards a side.
    pub(super) fn send(&mut self, environment: &mut Environment, link: LinkId, side: Side, wire: Wire) {
        let latency = self.latency(environment);
        if environment.fault == Some(Fault::NetworkDropsStatuses)
            && matches!(&wire, Wire::Text(text) if text.starts_with(r#"{"type":"request_status"#))
        {
            return;
        }
        if side == Side::Wallet && environment.fault.is_some() {
            for wire in doctored(environment, wire) {
                self.put(environment, link, side, wire, latency);
            }
        } else {
            self.put(environment, link, side, wire, latency);
        }
    }

    fn put(&mut self, environment: &mut Environment, link: LinkId, side: Side, wire: Wire, latency: Millis) {
        let entry = &mut self.links[link];
        if entry.is_cut || entry.towards(side).is_mute {
            return;
        }
        let pipe = entry.towards(side);
        pipe.floor = pipe.floor.max(environment.now + latency);
        pipe.wires.push_back(wire);
        environment.at(pipe.floor, Event::Arrive(link, side));
    }

    /// What has come out of the pipe towards a side.
    pub(super) fn arrive(&mut self, link: LinkId, side: Side) -> Option<Wire> {
        self.links[link].towards(side).wires.pop_front()
    }

    /// Puts back what a side that is blocked could not read.
    pub(super) fn put_back(&mut self, environment: &mut Environment, link: LinkId, side: Side, wire: Wire) {
        self.links[link].towards(side).wires.push_front(wire);
        environment.after(500, Event::Arrive(link, side));
    }

    /// The connection breaks: what is under way is lost, and each side notices some time, or has to find out.
    pub(super) fn cut(&mut self, environment: &mut Environment, link: LinkId) {
        let entry = &mut self.links[link];
        if std::mem::replace(&mut entry.is_cut, true) {
            return;
        }
        entry.to_server.wires.clear();
        entry.to_wallet.wires.clear();
        environment.see(Seen::Cut);
        for side in [Side::Server, Side::Wallet] {
            if environment.mishap(30) {
                environment.see(Seen::HalfOpen);
            } else {
                let wait = environment.between(0, 4_000);
                environment.after(wait, Event::Lost(link, side));
            }
        }
    }

    /// A side lets go of the connection. What it has sent may still arrive before the other side learns of it.
    pub(super) fn leave(&mut self, environment: &mut Environment, link: LinkId, side: Side) {
        let (rest, other) = match side {
            Side::Server => (environment.chance(70), Side::Wallet),
            Side::Wallet => (environment.chance(70), Side::Server),
        };
        let entry = &mut self.links[link];
        entry.towards(side).wires.clear();
        entry.towards(side).is_mute = true;
        if entry.is_cut {
            return;
        }
        let pipe = entry.towards(other);
        if !rest {
            pipe.wires.clear();
        }
        pipe.is_mute = true;
        let floor = pipe.floor;
        let wait = environment.between(1, 300);
        environment.at(floor.max(environment.now + wait), Event::Lost(link, other));
    }

    pub(super) fn mute(&mut self, environment: &mut Environment, link: LinkId, side: Side) {
        let pipe = self.links[link].towards(side);
        pipe.is_mute = true;
        pipe.wires.clear();
        environment.see(Seen::HalfOpen);
    }

    /// Nothing comes out at this side for a while.
    pub(super) fn stall(&mut self, environment: &mut Environment, link: LinkId, side: Side, wait: Millis) {
        let pipe = self.links[link].towards(side);
        pipe.floor = pipe.floor.max(environment.now + wait);
        pipe.stalled_until = pipe.floor;
        environment.see(Seen::Stalled);
    }
}

/// What a broken network makes of something.
fn doctored(environment: &mut Environment, wire: Wire) -> Vec<Wire> {
    let Wire::Text(text) = &wire else { return vec![wire] };
    let Ok(frame) = ServerFrame::parse(text) else { return vec![wire] };
    let made = |frame: ServerFrame| Wire::Text(frame.to_json().into());
    match (environment.fault, frame) {
        (Some(Fault::NetworkLiesAboutAnswers), ServerFrame::ResponseAck(mut ack)) => {
            if ack.outcome == AckOutcome::Late {
                ack.outcome = AckOutcome::Accepted;
            }
            vec![made(ServerFrame::ResponseAck(ack))]
        }
        (Some(Fault::NetworkTearsBatches), ServerFrame::SignRequest(mut request)) => {
            request.batch = request.batch.map(|batch| Batch { index: 0, size: 1, ..batch });
            vec![made(ServerFrame::SignRequest(request))]
        }
        (Some(Fault::NetworkInventsRequests), ServerFrame::SignRequest(mut request)) => {
            request.request_id = RequestId::from_random_bytes(environment.bytes());
            vec![wire, made(ServerFrame::SignRequest(request))]
        }
        (_, _) => vec![wire],
    }
}

//! What is going to happen, and when.

use countersign_protocol::RequestId;
use countersign_wasm::effect::SignTask;
use std::collections::BTreeMap;

/// Milliseconds of simulated time.
pub(super) type Millis = u64;

/// Which of the connections there have ever been.
pub(super) type LinkId = usize;

/// Which of the devices.
pub(super) type DeviceId = usize;

/// Which of the servers.
pub(super) type ServerId = usize;

/// Which of the backends' calls.
pub(super) type CallId = usize;

/// One life of a server: no two have the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct ServerLife {
    pub(super) server: ServerId,
    pub(super) life: u64,
}

/// One end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Side {
    Server,
    Wallet,
}

/// What a server asks of a database, each kind in its own order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Lane {
    Store,
    Hub,
    Packets,
}

/// How a server stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Stop {
    Crash,
    Drain,
}

/// What an operator does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Act {
    EndOne,
    EndAllOf(usize),
    Disconnect(usize),
    /// Blocks a key, for so long.
    Block(usize, Millis),
    /// Ends that.
    Unblock(usize),
}

/// What a human does about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Deed {
    Look,
    Approve,
    DeclineForKey,
    DeclineHere,
}

/// Something that happens. What is about a process names which of the device's lives it is for, since it may be over by then.
#[derive(Debug)]
pub(super) enum Event {
    /// The next thing in a pipe comes out at this side.
    Arrive(LinkId, Side),
    /// This side learns that the connection is gone.
    Lost(LinkId, Side),
    /// The server can write to a connection again.
    Unblock(LinkId),
    /// A dialled connection comes about, or does not.
    Reach {
        device: DeviceId,
        dial: u64,
    },
    /// A device's machine sleeps for so long; if so told, a clock of it stands still.
    Sleeps(DeviceId, Millis, bool),
    /// Somebody sets a device's time of day, by so many milliseconds.
    DeviceClockSet(DeviceId, i64),
    /// A device's network goes, and comes back after so long.
    Offline(DeviceId, Millis),
    /// A device's connection breaks.
    Cut(DeviceId),
    /// A device's connection falls silent in one direction, and nobody is told.
    Mute(DeviceId, Side),
    /// A device's connection stalls in one direction.
    Stall(DeviceId, Side, Millis),
    /// Old frames of a device are sent once more.
    Replay(DeviceId),

    ServerStarts(ServerId),
    ServerStops(ServerId, Stop),
    /// A server is stopped for so long, as by `SIGSTOP`, and goes on then.
    ServerPauses(ServerId, Millis),
    /// The patience of a drain is over.
    DrainEnds(ServerLife),
    /// The service has something due.
    ServiceTimer(ServerLife),
    /// A conversation has something due.
    ConversationTimer(LinkId),
    /// A conversation has an answer to judge, and others had their turn.
    Judge(LinkId),
    /// The disk has synced what was submitted.
    Sync(ServerLife),
    /// The database does what a server has asked.
    Turn(ServerLife, Lane),
    /// The server is told what has come of it.
    Answer(ServerLife, Lane),
    /// A node says that it lives.
    Renew(ServerLife),
    /// A packet has come for a server.
    PacketComes(ServerLife),
    /// A server goes by lower limits, or by those it began with: requests on a connection, for a key, percent for one requester.
    LimitsSet(ServerId, Option<(usize, usize, u8)>),
    /// A server and the database do not reach each other for so long.
    CutOff(ServerId, Millis),
    /// Packets to a server are lost for so long; whether that is noticed.
    Deaf(ServerId, Millis, bool),
    /// Nobody reaches the database for so long; whether it forgets what was not written to a disk.
    Outage(Millis, bool),
    /// The disk fills up, or has room again.
    Full(bool),
    /// The disk fails.
    DiskFails,
    /// A disk that has failed works again.
    DiskRecovers,
    /// Somebody else ends a request in the store.
    EndedElsewhere,
    /// An operator ends what is open, or what is open for a key, closes the key's connections, or blocks it.
    Operator(Act),
    /// A server looks which keys are blocked.
    LooksAtBlocks(ServerLife),
    /// Somebody sets the clock of the server's machine, by so many milliseconds.
    ClockSet(i64),

    WalletStarts(DeviceId),
    WalletCrashes(DeviceId),
    WalletTimer(DeviceId, u64),
    /// A wallet's store has done the oldest thing it was asked.
    Shelved(DeviceId, u64),
    /// A wallet's key has signed, or will not.
    KeySigns(DeviceId, u64, Box<SignTask>),
    Human(DeviceId, u64, RequestId, Deed),
    OwnerCloses(DeviceId),
    OwnerConnects(DeviceId),

    /// A call is made, with its first body or the other.
    Ask(CallId, usize),
    /// It reaches this server.
    AskAt(ServerId, CallId, usize),
    HangUp(CallId),
    Cancel(CallId),
    LookUp(CallId),
    /// The server has looked long enough for wallets elsewhere.
    Sought(ServerLife, u64),
    /// A call's requests have to have ended.
    Overdue(CallId),
    /// A durable call's requests have to have ended in the database.
    EndOverdue(CallId),
    /// A call has to have been accepted or refused.
    AcceptOverdue(CallId, u64),

    /// From here on nothing goes wrong any more.
    Heal,
    /// All that was asked is over.
    Over,
}

impl Event {
    /// Whose wallet or human does something with it, which has to wait while that device's machine sleeps.
    pub(super) fn device(&self) -> Option<DeviceId> {
        if let Self::Reach { device: id, .. }
        | Self::WalletStarts(id)
        | Self::WalletTimer(id, _)
        | Self::Shelved(id, _)
        | Self::KeySigns(id, ..)
        | Self::Human(id, ..)
        | Self::OwnerCloses(id)
        | Self::OwnerConnects(id) = self
        {
            Some(*id)
        } else {
            None
        }
    }

    /// Which server does something with it, which has to wait while that is paused.
    pub(super) fn server(&self) -> Option<ServerId> {
        if let Self::ServerStops(id, Stop::Drain)
        | Self::AskAt(id, ..)
        | Self::DrainEnds(ServerLife { server: id, .. })
        | Self::ServiceTimer(ServerLife { server: id, .. })
        | Self::Sync(ServerLife { server: id, .. })
        | Self::Turn(ServerLife { server: id, .. }, _)
        | Self::Answer(ServerLife { server: id, .. }, _)
        | Self::Renew(ServerLife { server: id, .. })
        | Self::PacketComes(ServerLife { server: id, .. })
        | Self::Sought(ServerLife { server: id, .. }, _) = self
        {
            Some(*id)
        } else {
            None
        }
    }

    /// The connection at whose end the server would hear of it.
    pub(super) fn servers_link(&self) -> Option<LinkId> {
        if let Self::Arrive(link, Side::Server)
        | Self::Lost(link, Side::Server)
        | Self::ConversationTimer(link)
        | Self::Judge(link) = self
        {
            Some(*link)
        } else {
            None
        }
    }

    /// The connection at whose end the wallet would hear of it.
    pub(super) fn wallets_link(&self) -> Option<LinkId> {
        if let Self::Arrive(link, Side::Wallet) | Self::Lost(link, Side::Wallet) = self { Some(*link) } else { None }
    }
}

/// The events to come, in order of time and then of their making.
#[derive(Debug, Default)]
pub(super) struct Queue {
    events: BTreeMap<(Millis, u64), Event>,
    made: u64,
}

impl Queue {
    pub(super) fn push(&mut self, at: Millis, event: Event) {
        self.made += 1;
        self.events.insert((at, self.made), event);
    }

    pub(super) fn pop(&mut self) -> Option<(Millis, Event)> {
        self.events.pop_first().map(|((at, _), event)| (at, event))
    }
}

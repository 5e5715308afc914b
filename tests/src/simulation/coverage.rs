//! What the runs have come across, so that a simulation which has stopped testing something cannot pass for one that found nothing.

use std::{collections::BTreeMap, fmt};

/// Something worth having seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)] // their names are printed, and say all there is to say
pub enum Seen {
    Asked,
    AskedDurably,
    AskedBatch,
    AskRefused,
    AnswerTold,
    Signed,
    Rejected,
    BadSignature,
    OtherMessage,
    Expired,
    DeliveryTimedOut,
    Disconnected,
    Cancelled,
    Drained,
    HungUp,
    Redelivered,
    SignedAfterRedelivery,
    SignedAfterRestart,
    Crash,
    CrashBetweenSyncAndTelling,
    CrashLosingWrites,
    Drain,
    DiskFull,
    DiskFailed,
    AcceptRefusedByDisk,
    EndWaitedForRoom,
    Replayed,
    ReplayedAfterCrash,
    KeyReused,
    WalletCrash,
    StorageLost,
    StoreHung,
    Prompt,
    BatchPrompt,
    ResumedPrompt,
    AnswerSentAgain,
    Accepted,
    Late,
    Duplicate,
    Unknown,
    Unconfirmed,
    AnsweredElsewhere,
    OwnerClosed,
    KeyLocked,
    Introduced,
    Cut,
    HalfOpen,
    Stalled,
    WriteTimedOut,
    FramesReplayed,
    ProofReplayed,
    HostileFrame,
    TooManyErrors,
    TooManyConnections,
    TooManyInflight,
    LookedUp,
    Watched,
    ClockSet,
    LimitsLowered,
    LimitsRaised,
    DiskRecovered,
    Slept,
    DeviceClockSet,
    EndedElsewhere,
    EndedByOperator,
    DisconnectedByOperator,
    Blocked,
    RefusedAsBlocked,
    OverOwnLimit,
    EndOverruled,
    EndFound,
    Paused,
    PacketsDoubled,
    PacketsLostSilently,
    TakenOver,
    OutcomeUnknown,
    OverruledByNode,
    WrittenElsewhere,
    HandedOver,
    GivenUpAlive,
    DatabaseFailed,
    DatabaseRecovered,
    CutOff,
    Outage,
    Failover,
    PutBack,
    ForgottenTold,
    WrittenUnknown,
    WalletElsewhere,
    MovedWhileAsked,
    Sought,
    LookedUpInVain,
    AskedInPlace,
    ShownInPlace,
    TakenInPlace,
    PlaceNotFree,
    PlaceElsewhere,
}

const ALL: [Seen; 97] = [
    Seen::Asked,
    Seen::AskedDurably,
    Seen::AskedBatch,
    Seen::AskRefused,
    Seen::AnswerTold,
    Seen::Signed,
    Seen::Rejected,
    Seen::BadSignature,
    Seen::OtherMessage,
    Seen::Expired,
    Seen::DeliveryTimedOut,
    Seen::Disconnected,
    Seen::Cancelled,
    Seen::Drained,
    Seen::HungUp,
    Seen::Redelivered,
    Seen::SignedAfterRedelivery,
    Seen::SignedAfterRestart,
    Seen::Crash,
    Seen::CrashBetweenSyncAndTelling,
    Seen::CrashLosingWrites,
    Seen::Drain,
    Seen::DiskFull,
    Seen::DiskFailed,
    Seen::AcceptRefusedByDisk,
    Seen::EndWaitedForRoom,
    Seen::Replayed,
    Seen::ReplayedAfterCrash,
    Seen::KeyReused,
    Seen::WalletCrash,
    Seen::StorageLost,
    Seen::StoreHung,
    Seen::Prompt,
    Seen::BatchPrompt,
    Seen::ResumedPrompt,
    Seen::AnswerSentAgain,
    Seen::Accepted,
    Seen::Late,
    Seen::Duplicate,
    Seen::Unknown,
    Seen::Unconfirmed,
    Seen::AnsweredElsewhere,
    Seen::OwnerClosed,
    Seen::KeyLocked,
    Seen::Introduced,
    Seen::Cut,
    Seen::HalfOpen,
    Seen::Stalled,
    Seen::WriteTimedOut,
    Seen::FramesReplayed,
    Seen::ProofReplayed,
    Seen::HostileFrame,
    Seen::TooManyErrors,
    Seen::TooManyConnections,
    Seen::TooManyInflight,
    Seen::LookedUp,
    Seen::Watched,
    Seen::ClockSet,
    Seen::LimitsLowered,
    Seen::LimitsRaised,
    Seen::DiskRecovered,
    Seen::Slept,
    Seen::DeviceClockSet,
    Seen::EndedElsewhere,
    Seen::EndedByOperator,
    Seen::DisconnectedByOperator,
    Seen::Blocked,
    Seen::RefusedAsBlocked,
    Seen::OverOwnLimit,
    Seen::EndOverruled,
    Seen::EndFound,
    Seen::Paused,
    Seen::PacketsDoubled,
    Seen::PacketsLostSilently,
    Seen::TakenOver,
    Seen::OutcomeUnknown,
    Seen::OverruledByNode,
    Seen::WrittenElsewhere,
    Seen::HandedOver,
    Seen::GivenUpAlive,
    Seen::DatabaseFailed,
    Seen::DatabaseRecovered,
    Seen::CutOff,
    Seen::Outage,
    Seen::Failover,
    Seen::PutBack,
    Seen::ForgottenTold,
    Seen::WrittenUnknown,
    Seen::WalletElsewhere,
    Seen::MovedWhileAsked,
    Seen::Sought,
    Seen::LookedUpInVain,
    Seen::AskedInPlace,
    Seen::ShownInPlace,
    Seen::TakenInPlace,
    Seen::PlaceNotFree,
    Seen::PlaceElsewhere,
];

/// How often each was seen.
#[derive(Debug, Default, Clone)]
pub struct Coverage(BTreeMap<Seen, u64>);

impl Coverage {
    /// Counts something.
    pub fn see(&mut self, seen: Seen) {
        *self.0.entry(seen).or_default() += 1;
    }

    /// Takes in what another run has seen.
    pub fn add(&mut self, other: &Self) {
        for (seen, times) in &other.0 {
            *self.0.entry(*seen).or_default() += times;
        }
    }

    /// How often it was seen.
    pub fn times(&self, seen: Seen) -> u64 {
        self.0.get(&seen).copied().unwrap_or_default()
    }

    /// What was not seen at all.
    pub fn missing(&self) -> Vec<Seen> {
        ALL.into_iter().filter(|seen| self.times(*seen) == 0).collect()
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, seen) in ALL.into_iter().enumerate() {
            let end = if at % 3 == 2 || at + 1 == ALL.len() { "\n" } else { "" };
            write!(f, "  {:<28}{:>9}{end}", format!("{seen:?}"), self.times(seen))?;
        }
        Ok(())
    }
}

//! Takes in what stores and hubs tell.

use super::{SigningService, State, told::Told};
use crate::{storage::Written, time::Timestamp};

impl SigningService {
    /// Takes what was told, which may come from any thread, or at once from within the question.
    pub(super) fn take(&self, told: Told) {
        let Some(told) = self.0.told_at_once.defer(told) else { return };
        let now = self.now();
        let mut state = self.state();
        self.hear(&mut state, told, now);
        self.carry_out(state, now);
        self.0.changed.notify_waiters();
    }

    pub(super) fn hear(&self, state: &mut State, told: Told, now: Timestamp) {
        match told {
            Told::Written(ticket, mut written) => {
                if let Ok(Written::Ended(record)) = &mut written {
                    record.move_by(self.behind());
                }
                state.dispatcher.handle_written(ticket, written, now);
            }
            Told::Read { connection, id, mut record } => {
                if let Ok(Some(record)) = &mut record {
                    record.move_by(self.behind());
                }
                self.take_read(state, connection, id, record, now);
            }
            Told::Found { keys, found, repair } => self.take_found(state, &keys, found, repair, now),
            Told::Announced { connection, announced } => Self::take_announced(state, connection, announced, now),
            Told::TakenOver(records) => self.take_taken_over(state, records, now),
            Told::HandedOver(handed_over) => Self::take_handed_over(state, handed_over),
        }
    }

    /// By how much the service's own time is behind the system's, in milliseconds: what the store has is in the system's.
    pub(super) fn behind(&self) -> i64 {
        self.0.clock.ahead().saturating_neg()
    }
}

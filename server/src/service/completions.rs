//! Handles what stores and hubs have completed.

use super::{SigningService, State, completed::Completed};
use crate::{storage::Written, time::Timestamp};

impl SigningService {
    /// Takes in what was completed, on any thread, or inline by the one that submits.
    pub(super) fn complete(&self, completed: Completed) {
        let Some(completed) = self.0.inline_completions.defer(completed) else { return };
        let now = self.now();
        let mut state = self.state();
        self.handle_completed(&mut state, completed, now);
        self.carry_out(state, now);
        self.0.changed.notify_waiters();
    }

    pub(super) fn handle_completed(&self, state: &mut State, completed: Completed, now: Timestamp) {
        match completed {
            Completed::Written(ticket, mut written) => {
                if let Ok(Written::Accepted(owner)) = written {
                    return self.take_accepted(state, ticket, owner, now);
                }
                if let Ok(Written::Ended(record)) = &mut written {
                    record.move_by(self.behind());
                }
                state.dispatcher.handle_written(ticket, written, now);
            }
            Completed::Read { connection, id, mut record } => {
                if let Ok(Some(record)) = &mut record {
                    record.move_by(self.behind());
                }
                self.take_read(state, connection, id, record, now);
            }
            Completed::Found { keys, found, repair } => self.take_found(state, &keys, found, repair, now),
            Completed::Announced { connection, announced } => Self::take_announced(state, connection, announced, now),
            Completed::TakenOver(records) => self.take_taken_over(state, records, now),
            Completed::Ended { asked, ended } => self.take_ended(state, asked, ended, now),
            Completed::HandedOver(handed_over) => Self::take_handed_over(state, handed_over),
        }
    }

    /// By how much the service's own time is behind the system's, in milliseconds: what the store has is in the system's.
    pub(super) fn behind(&self) -> i64 {
        self.0.clock.ahead().saturating_neg()
    }
}

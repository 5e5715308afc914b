//! What the accept loop tells the service manager every now and then: how things are, and that they go on.

use super::Notifier;
use crate::http::api::App;
use sd_notify::NotifyState;
use std::{future::pending, sync::Arc, time::Duration};
use tokio::time::{Interval, MissedTickBehavior, interval};

/// How often the status is brought up to date, at the least.
const BETWEEN_REPORTS: Duration = Duration::from_secs(5);

/// Three words in the time in which one must come, so that one may be late.
const WORDS_PER_WATCHDOG: u32 = 3;

/// A deadline that is missed by more is taken for a dispatcher that does nothing any more. More than a process is given after it was
/// stopped for a while.
const OVERDUE: Duration = Duration::from_secs(5);

/// Reports from within the loop that accepts, rather than from a task or thread of its own: where the loop or the dispatcher hangs, the
/// reports end, and the service manager notices.
pub(in crate::http) struct Watch {
    notifier: Notifier,
    app: Arc<App>,
    ticks: Option<Interval>,
    said: String,
}

impl Watch {
    pub(in crate::http) fn new(notifier: Notifier, app: Arc<App>) -> Self {
        let ticks = notifier.is_heard().then(|| {
            let period = notifier.watchdog().map_or(BETWEEN_REPORTS, |limit| limit / WORDS_PER_WATCHDOG);
            // A period of nothing is none.
            let mut ticks = interval(period.clamp(Duration::from_millis(1), BETWEEN_REPORTS));
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        });
        Self { notifier, app, ticks, said: String::new() }
    }

    /// Resolves when [`Watch::report`] is due; never where nobody listens.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub(in crate::http) async fn due(&mut self) {
        match &mut self.ticks {
            Some(ticks) => drop(ticks.tick().await),
            None => pending().await,
        }
    }

    /// Says how things are, where that is new, and that they go on, where they do.
    pub(in crate::http) fn report(&mut self) {
        if self.ticks.is_none() {
            return;
        }
        let status = self.status();
        if self.said != status {
            self.notifier.mention(&[NotifyState::Status(&status)]);
            self.said = status;
        }
        if self.app.service.behind_by() > OVERDUE {
            tracing::error!("open requests do not end in time: the watchdog is not told that all is well");
        } else if self.notifier.watchdog().is_some() {
            self.notifier.mention(&[NotifyState::Watchdog]);
        }
    }

    fn status(&self) -> String {
        let service = &self.app.service;
        let doing = if service.is_draining() { "Draining" } else { "Serving" };
        // Until settings are taken again: whoever looks at the status has not seen the log.
        let refused = if self.app.reloads.last().is_good { "" } else { "; the last reload was refused, see the log" };
        format!("{doing}; wallets: {}, open requests: {}{refused}", service.connections(), service.pending())
    }
}

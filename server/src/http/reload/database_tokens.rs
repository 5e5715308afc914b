//! Tokens in the database of a cluster, taken anew whenever they change there: all of them or none. And what becomes of open requests of
//! tokens that were revoked, whichever server has them by then.

use super::{Reloaded, Reloader, Running, end_revoked};
use crate::{
    audit::AuditLog,
    http::{
        api::App,
        settings::{SettingsError, database_entries},
    },
    store::{DurableStore, TokenNews, TokenRow},
};
use std::{
    sync::{Arc, Weak},
    time::Duration,
};
use tokio::time::{sleep, timeout};

/// How often the database is asked, where nobody says that anything has changed: who says so may not be heard.
const BETWEEN_LOOKS: Duration = Duration::from_secs(2);

/// How long it has to answer. Beyond what a store that waits for its database takes to give up.
const TIME_LIMIT: Duration = Duration::from_secs(10);

impl Reloader {
    /// Keeps tokens as the database has them, where they are there, and ends what revoked ones have left open on servers that are gone, for
    /// as long as it is polled and the server is there.
    pub(in crate::http) async fn keep_tokens(self, app: Weak<App>) {
        loop {
            let Some(now) = app.upgrade() else { return };
            let Some(store) = now.store.clone() else { return };
            self.look(&now, &store).await;
            drop(now);
            tokio::select! {
                () = store.tokens_changed() => {}
                () = self.0.look_again.notified() => {}
                () = sleep(BETWEEN_LOOKS) => {}
            }
        }
    }

    async fn look(&self, app: &App, store: &DurableStore) {
        let (is_asked, known) = {
            let running = self.0.running.lock().await;
            (running.settings.has_database_tokens(), running.digest.clone())
        };
        // With nothing locked: a database that is away holds up no reload.
        let news = if is_asked { timeout(TIME_LIMIT, store.tokens(known)).await } else { Ok(Ok(TokenNews::Unchanged)) };
        let mut running = self.0.running.lock().await;
        match news {
            Ok(Ok(TokenNews::Changed { digest, rows })) => {
                let taken = running.take(app, &rows);
                note(app, &mut running, taken.map(|report| (digest, report)));
            }
            Ok(Ok(TokenNews::Unreadable(why))) => {
                note(app, &mut running, Err(vec![SettingsError::DatabaseTokens(why)]))
            }
            Ok(Ok(TokenNews::Unchanged)) => {}
            Ok(Err(_)) | Err(_) => tracing::debug!("the database does not say which tokens there are"),
        }
        let ended = end_revoked(&running.settings, &app.live().tokens, app);
        if ended > 0 {
            tracing::info!(ended, "requests ended whose requester's tokens were revoked");
        }
    }
}

/// Says what came of it: what is wrong once for as long as it is the same.
fn note(app: &App, running: &mut Running, taken: Result<(String, Option<Reloaded>), Vec<SettingsError>>) {
    app.reloads.note_tokens(taken.is_ok());
    match taken {
        Ok((digest, report)) => {
            running.digest = Some(digest);
            running.said.clear();
            let Some(report) = report else { return };
            tracing::info!(
                tokens_added = report.added.join(" "),
                tokens_removed = report.removed.join(" "),
                ended = report.ended,
                open_without_token = report.open_without_token,
                "tokens in the database taken anew"
            );
        }
        Err(mistakes) => {
            // Those before may come back as they were.
            running.digest = None;
            let said: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
            if running.said != said {
                for mistake in &said {
                    tracing::error!(%mistake, "the tokens in the database are not taken; those before go on");
                }
                running.said = said;
            }
        }
    }
}

impl Running {
    /// Has the tokens of these rows hold in the place of those that the database had before; what has changed, if anything has.
    fn take(&mut self, app: &App, rows: &[TokenRow]) -> Result<Option<Reloaded>, Vec<SettingsError>> {
        let of_database = database_entries(rows)?;
        if of_database == self.of_database {
            return Ok(None);
        }
        let mut settings = self.settings.clone();
        settings.token.clone_from(&self.of_files);
        let settings = settings.with_tokens(&of_database);
        let tokens = settings.checked_tokens()?;
        if app.audit.is_some() {
            AuditLog::check_tokens(&settings.token_marks()).map_err(|error| vec![error.into()])?;
        }
        app.change_tokens(&tokens);
        // How much one requester may have depends on whether there are others.
        let percent = settings.share_percent();
        if percent != app.service.config().max_share_percent {
            app.service.set_share_percent(percent);
            if let Some(store) = &app.store {
                store.set_share_percent(percent);
            }
        }
        let report = Reloaded::between(&self.settings, &settings);
        if let Some(audit) = &app.audit {
            audit.reloaded(&report.changed(), settings.token_marks());
        }
        let open = app.service.snapshot().of_requester;
        let ended = end_revoked(&settings, &tokens, app);
        (self.settings, self.of_database) = (settings, of_database);
        Ok(Some(Reloaded { ended, ..report }.with_orphans(&open, &tokens)))
    }
}

/// Begins to keep tokens, where there are other servers.
pub(in crate::http) fn keep_tokens(reloader: &Reloader, app: &Arc<App>) -> Option<impl Future<Output = ()> + use<>> {
    let is_shared = app.store.as_ref().is_some_and(|store| store.hub().is_some());
    is_shared.then(|| reloader.clone().keep_tokens(Arc::downgrade(app)))
}

//! Taking the settings anew while the server runs: all of them or none.

mod control;
mod database_tokens;
mod report;

pub use control::{ControlSocket, Reply, ask};
pub(super) use database_tokens::keep_tokens;
pub use report::Reloaded;

use super::{
    api::{App, Revocation, TokenEntry, Tokens, WebhookTarget},
    listen::TlsError,
    ops::Notifier,
    settings::{Checked, LogFilter, Settings, SettingsError, Taken},
};
use crate::{audit::AuditLog, requester::RequesterId, store::ServerKey};
use std::{
    collections::BTreeSet,
    fmt,
    net::SocketAddr,
    sync::{Arc, Weak},
};
use tokio::{
    sync::{Mutex, Notify, watch},
    task::spawn_blocking,
};

/// Reads the settings from where the start had them.
type Read = dyn Fn() -> Result<Settings, Vec<SettingsError>> + Send + Sync;

/// Has the log go by another filter.
type SetLog = dyn Fn(&LogFilter) + Send + Sync;

/// Has a server take its settings anew. Clones do so one after the other.
#[derive(Clone)]
pub struct Reloader(Arc<Inner>);

struct Inner {
    bound: SocketAddr,
    read: Arc<Read>,
    set_log: Box<SetLog>,
    notifier: Notifier,
    running: Mutex<Running>,
    /// Told when tokens in the database may be taken that were not before.
    look_again: Notify,
    /// The server, once there is one.
    app: watch::Sender<Option<Weak<App>>>,
}

/// What holds.
struct Running {
    /// With all tokens.
    settings: Settings,
    of_files: Vec<TokenEntry>,
    of_database: Vec<TokenEntry>,
    /// What the database calls these, once they are known to be taken.
    digest: Option<String>,
    /// What was said of those that were not.
    said: Vec<String>,
}

impl Reloader {
    /// For a server that has been started at the address `bound` with `settings`, and with the tokens of its database besides. They are read
    /// anew by `read`, which may block, and does not read the database.
    pub fn new(
        (settings, of_database): (Settings, Vec<TokenEntry>),
        bound: SocketAddr,
        notifier: Notifier,
        read: impl Fn() -> Result<Settings, Vec<SettingsError>> + Send + Sync + 'static,
        set_log: impl Fn(&LogFilter) + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Inner {
            bound,
            read: Arc::new(read),
            set_log: Box::new(set_log),
            notifier,
            running: Mutex::new(Running {
                of_files: settings.token.clone(),
                settings: settings.with_tokens(&of_database),
                of_database,
                digest: None,
                said: Vec::new(),
            }),
            look_again: Notify::new(),
            app: watch::Sender::new(None),
        }))
    }

    /// Which server it is.
    pub(super) fn serve(&self, app: &Arc<App>) {
        self.0.app.send_replace(Some(Arc::downgrade(app)));
        // What was revoked while no server ran; the lock is nobody else's yet.
        if let Ok(running) = self.0.running.try_lock() {
            let ended = end_revoked(&running.settings, &app.live().tokens, app);
            if ended > 0 {
                tracing::info!(ended, "requests ended whose requester's tokens were revoked");
            }
        }
    }

    /// Reads the settings anew and has them hold for whatever begins from now on. What is open is not touched. What came of it is in the
    /// log, too.
    ///
    /// # Errors
    /// Everything for which they are not taken. Then nothing has changed.
    pub async fn reload(&self) -> Result<Reloaded, Vec<SettingsError>> {
        let mut running = self.0.running.lock().await;
        self.0.notifier.reloading().await;
        let outcome = match self.app().await {
            Some(app) => self.attempt(&mut running, &app).await.inspect_err(|mistakes| {
                for mistake in mistakes {
                    tracing::error!(%mistake, "the settings are not taken; those before go on");
                }
                app.reloads.note(false);
            }),
            // It has ended.
            None => Ok(Reloaded::default()),
        };
        self.0.notifier.ready().await;
        // What did not go with the settings before may go with these.
        running.digest = None;
        self.0.look_again.notify_one();
        outcome
    }

    async fn app(&self) -> Option<Arc<App>> {
        let mut app = self.0.app.subscribe();
        // Its sender is in here.
        app.wait_for(Option::is_some).await.ok()?.as_ref()?.upgrade()
    }

    async fn attempt(&self, running: &mut Running, app: &App) -> Result<Reloaded, Vec<SettingsError>> {
        let (read, bound, of_database) = (Arc::clone(&self.0.read), self.0.bound, running.of_database.clone());
        let read = spawn_blocking(move || {
            let settings = read()?;
            let of_files = settings.token.clone();
            let settings = settings.with_tokens(&of_database);
            let checked = settings.checked(bound);
            Ok::<_, Vec<SettingsError>>((settings, of_files, checked))
        });
        // It fails only where the runtime ends, or by a bug: then nothing is taken.
        let Ok(read) = read.await else { return Err(Vec::new()) };
        let (settings, of_files, checked) = read?;
        let differing = running.settings.differing(&settings);
        let mut mistakes: Vec<_> = differing
            .iter()
            .filter(|(_, taken)| *taken == Taken::AtTheStart)
            .map(|(name, _)| SettingsError::NeedsRestart(name.replace('_', "-")))
            .collect();
        let checked = checked.map_err(|errors| mistakes.extend(errors)).ok();
        let Some(checked) = checked.filter(|checked| {
            mistakes.extend(expired(&settings, checked, app));
            if app.audit.is_some() {
                mistakes.extend(AuditLog::check_tokens(&settings.token_marks()).err().map(SettingsError::from));
            }
            mistakes.is_empty()
        }) else {
            return Err(mistakes);
        };
        let live = app.live();
        let report = Reloaded {
            certificate: live.tls != checked.http.tls,
            webhook_secrets: other_secrets(&live.webhook_targets, &checked.http.webhook_targets),
            webhook_keys: public_keys(&live.webhook_keys) != public_keys(&checked.http.webhook_keys),
            ..Reloaded::between(&running.settings, &settings)
        };
        let report = self.apply(&settings, checked, app, report);
        (running.settings, running.of_files) = (settings, of_files);
        Ok(report)
    }

    fn apply(&self, settings: &Settings, checked: Checked, app: &App, report: Reloaded) -> Reloaded {
        let Checked { service, http, kept: (retention, max_bytes) } = checked;
        if let Some(store) = &app.store {
            store.set_limits(max_bytes, service.max_share_percent, retention);
        }
        app.service.reconfigure(service);
        app.change(&http);
        (self.0.set_log)(&settings.log.clone().unwrap_or_default());
        if let Some(audit) = &app.audit {
            audit.reloaded(&report.changed(), settings.token_marks());
        }
        let open = app.service.snapshot().of_requester;
        let ended = end_revoked(settings, &http.tokens, app);
        app.reloads.note(true);
        let report = Reloaded { ended, ..report }.with_orphans(&open, &http.tokens);
        tracing::info!(
            changed = report.changed().join(" "),
            tokens_added = report.added.join(" "),
            tokens_removed = report.removed.join(" "),
            ended = report.ended,
            open_without_token = report.open_without_token,
            "settings taken anew"
        );
        report
    }
}

/// Ends what is open of requesters whose tokens were revoked so, once they have none that holds; gives how many requests that were.
fn end_revoked(settings: &Settings, tokens: &Tokens, app: &App) -> usize {
    let revoked = settings.token.iter().filter(|entry| entry.revoked == Some(Revocation::End));
    let ids: BTreeSet<RequesterId> = revoked.filter_map(|entry| entry.requester_id().parse().ok()).collect();
    let with_requests = app.service.with_requests(ids).into_iter();
    with_requests.filter(|id| !tokens.has(id)).map(|id| app.service.end_all_of(id)).sum()
}

fn public_keys(keys: &[Arc<ServerKey>]) -> Vec<[u8; 32]> {
    keys.iter().map(|key| key.public_key()).collect()
}

/// Whether a target that stays has other secrets.
fn other_secrets(before: &[WebhookTarget], after: &[WebhookTarget]) -> bool {
    let before = |url| before.iter().find(|target| target.url() == url);
    after.iter().any(|target| before(target.url()).is_some_and(|before| before.secrets() != target.secrets()))
}

/// A certificate that nobody accepts does not take the place of another. One that the server has already is no reason to refuse the rest.
fn expired(settings: &Settings, checked: &Checked, app: &App) -> Option<SettingsError> {
    let tls = checked.http.tls.as_ref().filter(|tls| app.live().tls.as_ref() != Some(tls))?;
    let path = || settings.tls_cert.clone().unwrap_or_default();
    tls.expiry().is_over().then(|| TlsError::Expired(path(), tls.expiry()).into())
}

impl fmt::Debug for Reloader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reloader")
    }
}

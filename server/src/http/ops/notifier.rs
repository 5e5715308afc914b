//! Tells the service manager how things are, as `sd_notify(3)` has it. It is never waited for: whatever it does, the server serves.

use sd_notify::NotifyState;
use std::{env, io, path::Path, sync::Arc, time::Duration};
use tokio::{net::UnixDatagram, time::timeout};

/// How long a word that is said once may take to be heard.
const PATIENCE: Duration = Duration::from_secs(1);

/// The service manager that started this process, if there is one that wants to be told.
#[derive(Debug, Clone, Default)]
pub struct Notifier {
    socket: Option<Arc<UnixDatagram>>,
    watchdog: Option<Duration>,
}

impl Notifier {
    /// Reads `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`; without the first there is nobody to tell. To be called within a
    /// runtime.
    ///
    /// # Errors
    /// Where there is no such socket.
    pub fn from_env() -> io::Result<Self> {
        let Some(path) = env::var_os("NOTIFY_SOCKET") else { return Ok(Self::default()) };
        Self::connect(path.as_ref(), sd_notify::watchdog_enabled())
    }

    /// The service manager behind a socket, which ends the process once it has said nothing for the time `watchdog`.
    pub(crate) fn connect(path: &Path, watchdog: Option<Duration>) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.connect(path)?;
        Ok(Self { socket: Some(Arc::new(socket)), watchdog })
    }

    /// The server listens; or has done what [`Notifier::reloading`] began.
    pub async fn ready(&self) {
        self.tell(&[NotifyState::Ready]).await;
    }

    /// Settings are being read anew, until [`Notifier::ready`].
    pub async fn reloading(&self) {
        // Where the clock cannot be read, saying half of it would have the reload fail (systemd.service(5), `notify-reload`).
        if let Ok(now) = NotifyState::monotonic_usec_now() {
            self.tell(&[NotifyState::Reloading, now]).await;
        }
    }

    /// The process ends, within this time.
    pub(in crate::http) async fn stopping(&self, within: Duration) {
        let micros = u32::try_from(within.as_micros()).unwrap_or(u32::MAX);
        self.tell(&[NotifyState::Stopping, NotifyState::ExtendTimeoutUsec(micros)]).await;
    }

    /// Whether there is anybody to tell.
    pub(super) fn is_heard(&self) -> bool {
        self.socket.is_some()
    }

    /// After how long a silence the process is taken for hung.
    pub(super) fn watchdog(&self) -> Option<Duration> {
        self.watchdog.filter(|_| self.is_heard())
    }

    /// Says what is soon said again: where it would have to wait, not at all.
    pub(super) fn mention(&self, states: &[NotifyState<'_>]) {
        if let Some(socket) = &self.socket {
            let _ = socket.try_send(text(states).as_bytes());
        }
    }

    async fn tell(&self, states: &[NotifyState<'_>]) {
        let Some(socket) = &self.socket else { return };
        match timeout(PATIENCE, socket.send(text(states).as_bytes())).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the service manager could not be told"),
            Err(_) => tracing::warn!("the service manager does not listen"),
        }
    }
}

fn text(states: &[NotifyState<'_>]) -> String {
    states.iter().map(|state| format!("{state}\n")).collect()
}

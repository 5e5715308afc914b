//! For the demo page: has the process end and start anew, so that a visitor sees what survives it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;

/// That this process may be told to start anew, and whether it has been.
#[derive(Debug, Clone)]
pub struct Demo {
    /// For how long nothing is to be there in between.
    wanted: Arc<watch::Sender<Option<Duration>>>,
    /// Drawn at random: another process, another value.
    instance: String,
    /// What a page's origin begins with.
    scheme: &'static str,
}

impl Demo {
    pub(in crate::http) fn new(tls: bool) -> Self {
        Self {
            wanted: Arc::default(),
            instance: URL_SAFE_NO_PAD.encode(crate::random::bytes::<12>()),
            scheme: if tls { "https" } else { "http" },
        }
    }

    /// Resolves when somebody has asked for another process, with the time for which there is to be none. What asked has its answer a
    /// moment later.
    pub async fn restart_wanted(&self) -> Duration {
        let mut wanted = self.wanted.subscribe();
        loop {
            let down = *wanted.borrow_and_update();
            match down {
                Some(down) => return down,
                // The sender is in `self`.
                None => drop(wanted.changed().await),
            }
        }
    }

    pub(in crate::http) fn restart(&self, down: Duration) {
        self.wanted.send_replace(Some(down));
    }

    pub(in crate::http) fn instance(&self) -> &str {
        &self.instance
    }

    pub(in crate::http) fn scheme(&self) -> &'static str {
        self.scheme
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_process_is_told_apart() {
        assert_ne!(Demo::new(false).instance, Demo::new(false).instance);
    }
}

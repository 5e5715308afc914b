//! What the calls of administrators share.

use crate::http::{
    api::{App, Tokens},
    config::AdminConfig,
    reload::Reloader,
};
use std::{sync::Arc, time::Instant};

pub(in crate::http) struct Admin {
    pub(super) app: Arc<App>,
    pub(super) tokens: Tokens,
    pub(super) started: Instant,
    /// None where the server's settings are not taken anew.
    pub(super) reloader: Option<Reloader>,
}

impl Admin {
    pub(in crate::http) fn new(app: &Arc<App>, config: &AdminConfig, reloader: Option<&Reloader>) -> Self {
        Self {
            app: Arc::clone(app),
            tokens: config.tokens.clone(),
            started: Instant::now(),
            reloader: reloader.cloned(),
        }
    }
}

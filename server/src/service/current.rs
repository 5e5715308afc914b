//! The rules that hold at one time, as they are replaced: whole.

use crate::{config::Config, session::Rules};
use std::{ops::Deref, sync::Arc};

/// What a service goes by at one time.
#[derive(Debug)]
pub(crate) struct Current {
    config: Config,
    rules: Arc<Rules>,
}

impl From<Config> for Current {
    fn from(config: Config) -> Self {
        Self { rules: Arc::new(config.rules()), config }
    }
}

impl Current {
    /// The part that a connection keeps to.
    pub(crate) fn session(&self) -> Arc<Rules> {
        Arc::clone(&self.rules)
    }
}

impl Deref for Current {
    type Target = Config;

    fn deref(&self) -> &Config {
        &self.config
    }
}

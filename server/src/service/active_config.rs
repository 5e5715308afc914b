//! The configuration in force, replaced as a whole.

use crate::{config::Config, session::Rules};
use std::{ops::Deref, sync::Arc};

/// The configuration that a service goes by, with the rules that follow from it.
#[derive(Debug)]
pub(crate) struct ActiveConfig {
    config: Config,
    rules: Arc<Rules>,
}

impl From<Config> for ActiveConfig {
    fn from(config: Config) -> Self {
        Self { rules: Arc::new(config.rules()), config }
    }
}

impl ActiveConfig {
    /// The part that a connection keeps to.
    pub(crate) fn session(&self) -> Arc<Rules> {
        Arc::clone(&self.rules)
    }
}

impl Deref for ActiveConfig {
    type Target = Config;

    fn deref(&self) -> &Config {
        &self.config
    }
}

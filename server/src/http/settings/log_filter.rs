//! What is logged: a level, also for single modules.

use serde::Deserialize;
use std::str::FromStr;
use thiserror::Error;
use tracing_subscriber::filter::{LevelFilter, Targets};

/// warp reports every odd path that a stranger asks for as a warning or worse.
const ALWAYS: (&str, LevelFilter) = ("warp::filters::fs", LevelFilter::OFF);

/// Why a text is no filter.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is neither a level (error, warn, info, debug, trace, off) nor MODULE=LEVEL")]
pub struct LogFilterError(String);

/// Levels of the log by module, as in `info` or `warn,countersign_server=debug`: the text, which has been parsed.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub struct LogFilter(Targets);

impl LogFilter {
    /// What decides which lines there are.
    pub fn targets(&self) -> Targets {
        self.0.clone()
    }
}

/// `info`.
impl Default for LogFilter {
    fn default() -> Self {
        Self(Targets::new().with_target(ALWAYS.0, ALWAYS.1).with_default(LevelFilter::INFO))
    }
}

impl FromStr for LogFilter {
    type Err = LogFilterError;

    fn from_str(text: &str) -> Result<Self, LogFilterError> {
        let mut targets = Targets::new().with_target(ALWAYS.0, ALWAYS.1);
        for directive in text.split(',').map(str::trim) {
            let wrong = || LogFilterError(directive.to_owned());
            // The library takes digits and nothing at all for levels too, which nobody means.
            let is_word = |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphabetic());
            let level = |text: &str| {
                Some(text.trim()).filter(is_word).and_then(|text| text.parse::<LevelFilter>().ok()).ok_or_else(wrong)
            };
            targets = match directive.split_once('=') {
                None => targets.with_default(level(directive)?),
                Some((module, _)) if module.trim().is_empty() => return Err(wrong()),
                Some((module, text)) => targets.with_target(module.trim(), level(text)?),
            };
        }
        Ok(Self(targets))
    }
}

impl TryFrom<String> for LogFilter {
    type Error = LogFilterError;

    fn try_from(text: String) -> Result<Self, LogFilterError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::Level;

    #[test]
    fn a_level_holds_for_all_but_the_modules_that_are_named() {
        let targets = "warn, countersign_server=debug".parse::<LogFilter>().unwrap().targets();
        assert!(targets.would_enable("countersign_server::http", &Level::DEBUG));
        assert!(targets.would_enable("hyper", &Level::WARN) && !targets.would_enable("hyper", &Level::INFO));
        assert!(!targets.would_enable("warp::filters::fs", &Level::ERROR));
    }

    #[test]
    fn what_would_silence_the_log_by_mistake_is_refused() {
        for text in
            ["warning", "", "information", "info,", "=debug", "countersign_server=verbose", "countersign_server"]
        {
            assert!(text.parse::<LogFilter>().is_err(), "{text}");
        }
    }
}

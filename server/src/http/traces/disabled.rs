//! In a program built without the feature `otlp`: nothing is traced, and whoever has asked for it is told so.

use super::{counts::Counts, environment::is_asked_for};
use crate::call_context::CallContext;
use hyper::{Method, StatusCode};
use std::time::Duration;

/// Where traces go: nowhere.
#[derive(Debug, Clone, Default)]
pub struct Traces(());

/// A call that nobody traces.
pub(in crate::http) struct CallSpan(());

impl Traces {
    /// Says that nothing is traced where the environment asks for it.
    ///
    /// # Errors
    /// None: the type is that of a program built with the feature.
    pub fn from_environment() -> Result<Self, TracesError> {
        if is_asked_for() {
            tracing::warn!(
                "OTEL_EXPORTER_OTLP_ENDPOINT is set, and this program has no traces: build it with the feature `otlp`"
            );
        }
        Ok(Self::default())
    }

    /// Nobody.
    pub(in crate::http) fn observer(&self) -> Option<std::sync::Arc<dyn crate::steps::Observer>> {
        None
    }

    pub(in crate::http) fn begin(&self, _: &Method, _: &str, _: &mut CallContext) -> CallSpan {
        CallSpan(())
    }

    /// Spans by what became of them.
    pub(in crate::http) fn counts(&self) -> Counts {
        Counts::default()
    }

    pub(in crate::http) async fn flush(&self, _: Duration) {}
}

impl CallSpan {
    pub(in crate::http) fn end(self, _: StatusCode) {}
}

/// Never happens.
#[derive(Debug, thiserror::Error)]
pub enum TracesError {}

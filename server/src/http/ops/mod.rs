//! What the server does for its operator and itself: health, metrics, background tasks, the page's files and headers.

mod background;
mod certificate;
mod demo;
mod log;
mod metrics;
mod node;
mod notifier;
mod operations;
mod process;
mod security_headers;
mod watch;
mod web_root;

pub(super) use background::start;
pub use demo::Demo;
pub use log::LogWriter;
pub(super) use metrics::metrics;
pub(super) use node::name_node;
pub use notifier::Notifier;
pub(super) use operations::{healthz, jwk_set, openapi, readyz};
pub(super) use security_headers::harden;
pub(super) use watch::Watch;
pub(super) use web_root::web_root;

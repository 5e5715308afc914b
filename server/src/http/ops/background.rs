//! What a server does beside answering: deadlines, retention, webhooks, the certificate's end, blocked keys.

use super::certificate;
use crate::http::{api::App, webhook};
use std::sync::Arc;
use tokio::task::JoinSet;

/// Starts it all; it ends with the set.
pub(in crate::http) fn start(app: &Arc<App>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let service = app.service.clone();
    tasks.spawn(async move { service.maintain().await });
    tasks.spawn(certificate::watch(Arc::clone(app)));
    let blocks = Arc::clone(app);
    tasks.spawn(async move { blocks.blocks.keep().await });
    if app.store.is_some() {
        tasks.spawn(webhook::deliver(Arc::clone(app)));
    }
    tasks
}

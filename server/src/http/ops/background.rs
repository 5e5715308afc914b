//! What a server does beside answering: deadlines, retention, webhooks.

use crate::http::{api::App, webhook};
use std::{sync::Arc, time::Duration};
use tokio::{task::JoinSet, time::interval};

const BETWEEN_SWEEPS: Duration = Duration::from_secs(60 * 60);

/// Starts it all; it ends with the set.
pub(in crate::http) fn start(app: &Arc<App>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let service = app.service.clone();
    tasks.spawn(async move { service.maintain().await });
    if let Some(store) = &app.store {
        let (store, service) = (store.clone(), app.service.clone());
        tasks.spawn(async move {
            let mut sweeps = interval(BETWEEN_SWEEPS);
            loop {
                sweeps.tick().await;
                store.forget(service.now());
            }
        });
        tasks.spawn(webhook::deliver(Arc::clone(app)));
    }
    tasks
}

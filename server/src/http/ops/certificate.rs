//! Says in time that the certificate ends.

use crate::http::api::App;
use std::{sync::Arc, time::Duration};
use tokio::time::sleep;

/// How often it is said.
const BETWEEN: Duration = Duration::from_hours(24);

/// Looks at the start, at each change, and daily, for as long as it is polled.
pub(in crate::http) async fn watch(app: Arc<App>) {
    let mut changes = app.changes();
    loop {
        let live = Arc::clone(&changes.borrow_and_update());
        if let Some(tls) = &live.tls {
            let expiry = tls.expiry();
            if expiry.is_over() {
                tracing::error!(%expiry, "the certificate has ended: wallets and backends refuse it");
            } else if expiry.is_near() {
                tracing::warn!(%expiry, "the certificate ends soon");
            }
        }
        drop(live);
        tokio::select! {
            // Its sender is in the app.
            _ = changes.changed() => {}
            () = sleep(BETWEEN) => {}
        }
    }
}

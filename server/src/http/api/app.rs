//! What all handlers share.

use super::{
    auth::{Requester, Tokens},
    problem::Problem,
    refusal_log::RefusalLog,
    requesters::Requesters,
    webhook_target::WebhookTarget,
};
use crate::{
    Record, SigningError, SigningService,
    audit::AuditLog,
    http::{
        config::HttpConfig,
        listen::{ConnectionLimit, KeyedRate, Party},
        ops::LogWriter,
    },
    requester::RequesterId,
    store::DurableStore,
};
use countersign_protocol::RequestId;
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;
use warp::http::StatusCode;

/// What every handler shares.
pub(in crate::http) struct App {
    pub(in crate::http) service: SigningService,
    pub(in crate::http) tokens: Tokens,
    pub(in crate::http) read_timeout: Duration,
    pub(in crate::http) connects: KeyedRate<Party>,
    pub(in crate::http) requests: KeyedRate<RequesterId>,
    pub(in crate::http) failures: KeyedRate<Party>,
    pub(in crate::http) connections: Arc<ConnectionLimit>,
    pub(in crate::http) requesters: Requesters,
    pub(in crate::http) refusals: RefusalLog,
    pub(in crate::http) store: Option<DurableStore>,
    pub(in crate::http) webhook_targets: Vec<WebhookTarget>,
    pub(in crate::http) webhook_retries: Vec<Duration>,
    pub(in crate::http) log: Option<LogWriter>,
    pub(in crate::http) audit: Option<AuditLog>,
    /// Whether the server has begun to stop.
    pub(in crate::http) draining: watch::Sender<bool>,
}

impl App {
    pub(in crate::http) fn new(service: SigningService, config: &HttpConfig) -> Self {
        Self {
            store: config.store.clone(),
            webhook_targets: config.webhook_targets.clone(),
            webhook_retries: config.webhook_retries.clone(),
            log: config.log.clone(),
            audit: config.audit.clone(),
            draining: watch::Sender::new(false),
            connections: ConnectionLimit::new(config.max_connections, config.max_connections_per_ip),
            requesters: Requesters::of_tokens(&config.tokens),
            tokens: config.tokens.clone(),
            read_timeout: config.read_timeout,
            connects: KeyedRate::new("ip_connects", config.connects_per_second, service.clock()),
            requests: KeyedRate::new("token", config.requests_per_second, service.clock()),
            failures: KeyedRate::new("ip_failures", config.failures_per_second, service.clock()),
            refusals: RefusalLog::default(),
            service,
        }
    }

    /// Resolves when the server begins to stop: nobody is to be kept waiting any more who can as well ask the next one.
    pub(in crate::http) async fn draining(&self) {
        let mut draining = self.draining.subscribe();
        // Its sender is here.
        let _ = draining.wait_for(|draining| *draining).await;
    }

    /// How a durable request stands at its end, or after as long as its requester wants to wait.
    pub(in crate::http) async fn status(
        &self,
        requester: &Requester,
        id: RequestId,
        time_limit: Duration,
    ) -> Result<Record, SigningError> {
        if !time_limit.is_zero() {
            tokio::select! {
                waited = self.service.wait(&requester.id, id, time_limit) => match waited {
                    Err(SigningError::Draining) => {}
                    Ok(_) | Err(_) => return waited,
                },
                () = self.draining() => {}
            }
        }
        self.service.record(&requester.id, id).await
    }

    /// Whether something new may be asked for: there has to be an entry of it, if there is an audit log that promises so.
    pub(in crate::http) fn check_audit(&self) -> Result<(), Problem> {
        if self.audit.as_ref().is_some_and(AuditLog::refuses) { Err(Problem::audit_unavailable()) } else { Ok(()) }
    }

    /// Whether a request may name this URL as its webhook.
    pub(in crate::http) fn check_webhook(&self, url: &str) -> Result<(), Problem> {
        if self.webhook_targets.iter().any(|target| target.as_str() == url) {
            return Ok(());
        }
        let detail = "the webhook is none of the URLs that the operator allows";
        Err(Problem::new(StatusCode::FORBIDDEN, "webhook_not_allowed", detail))
    }
}

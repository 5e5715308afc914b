//! What all handlers share.

use super::{
    auth::{Requester, Tokens},
    blocks::Blocks,
    live::Live,
    problem::Problem,
    refusal_log::RefusalLog,
    reloads::Reloads,
    requesters::Requesters,
};
use crate::{
    Record, SigningError, SigningService,
    audit::AuditLog,
    http::{config::HttpConfig, listen::ConnectionLimit, ops::LogWriter, traces::Traces},
    store::DurableStore,
};
use countersign_protocol::RequestId;
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;

/// What every handler shares.
pub(in crate::http) struct App {
    pub(in crate::http) service: SigningService,
    live: watch::Sender<Arc<Live>>,
    pub(in crate::http) reloads: Reloads,
    pub(in crate::http) connections: Arc<ConnectionLimit>,
    pub(in crate::http) requesters: Requesters,
    pub(in crate::http) refusals: RefusalLog,
    pub(in crate::http) store: Option<DurableStore>,
    pub(in crate::http) webhook_retries: Vec<Duration>,
    pub(in crate::http) log: Option<LogWriter>,
    pub(in crate::http) audit: Option<AuditLog>,
    pub(in crate::http) blocks: Blocks,
    pub(in crate::http) traces: Traces,
    /// Whether the server has begun to stop.
    pub(in crate::http) draining: watch::Sender<bool>,
}

impl App {
    pub(in crate::http) fn new(service: SigningService, config: &HttpConfig) -> Self {
        Self {
            blocks: Blocks::new(service.clone(), config.store.clone()),
            store: config.store.clone(),
            webhook_retries: config.webhook_retries.clone(),
            log: config.log.clone(),
            audit: config.audit.clone(),
            traces: config.traces.clone(),
            draining: watch::Sender::new(false),
            connections: ConnectionLimit::new(config.max_connections, config.max_connections_per_ip),
            requesters: Requesters::of_tokens(&config.tokens),
            live: watch::Sender::new(Arc::new(Live::new(config, service.clock()))),
            reloads: Reloads::begin(),
            refusals: RefusalLog::default(),
            service,
        }
    }

    /// What holds now. To be asked for once, where several things are to fit together.
    pub(in crate::http) fn live(&self) -> Arc<Live> {
        Arc::clone(&self.live.borrow())
    }

    /// Tells when that changes.
    pub(in crate::http) fn changes(&self) -> watch::Receiver<Arc<Live>> {
        self.live.subscribe()
    }

    /// Has other settings hold from now on, for whatever begins.
    pub(in crate::http) fn change(&self, config: &HttpConfig) {
        self.requesters.know(&config.tokens);
        self.connections.set(config.max_connections, config.max_connections_per_ip);
        self.live.send_modify(|live| *live = Arc::new(live.next(config, self.service.clock())));
    }

    /// Has other tokens hold from now on, for whatever begins.
    pub(in crate::http) fn change_tokens(&self, tokens: &Tokens) {
        self.requesters.know(tokens);
        self.live.send_modify(|live| *live = Arc::new(live.with_tokens(tokens.clone(), self.service.clock())));
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
}

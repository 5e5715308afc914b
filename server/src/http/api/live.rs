//! What may change while the server runs, as versions that replace each other whole.

use super::{
    auth::{Requester, Tokens},
    problem::Problem,
    scope::Scope,
    webhook_target::WebhookTarget,
};
use crate::{
    http::{
        config::HttpConfig,
        listen::{KeyedRate, Network, Party, RateExceeded, Tls},
    },
    requester::RequesterId,
    store::ServerKey,
    time::Clock,
};
use std::{collections::HashMap, fmt, num::NonZeroU32, sync::Arc, time::Duration};
use warp::http::StatusCode;

pub(super) const WEBHOOK_NOT_ALLOWED: &str = "is none of the URLs that the operator allows";

/// One version of what may change. A connection has the one it begins with for its handshake and its times; a call has the one it begins
/// with for all it asks.
#[derive(Clone)]
pub(in crate::http) struct Live {
    pub(in crate::http) tokens: Tokens,
    pub(in crate::http) tls: Option<Tls>,
    pub(in crate::http) trusted_proxies: Vec<Network>,
    pub(in crate::http) read_timeout: Duration,
    pub(in crate::http) keep_alive_timeout: Duration,
    pub(in crate::http) drain_timeout: Duration,
    pub(in crate::http) webhook_targets: Vec<WebhookTarget>,
    pub(in crate::http) webhook_keys: Vec<Arc<ServerKey>>,
    pub(in crate::http) connects: Arc<KeyedRate<Party>>,
    requests: Arc<KeyedRate<RequesterId>>,
    /// Of tokens that have rates of their own.
    own_requests: HashMap<String, Arc<KeyedRate<RequesterId>>>,
    pub(in crate::http) failures: Arc<KeyedRate<Party>>,
}

impl Live {
    /// The first version.
    pub(in crate::http) fn new(config: &HttpConfig, clock: &Clock) -> Self {
        let connects = Arc::new(KeyedRate::new("ip_connects", config.connects_per_second, clock));
        let requests = Arc::new(KeyedRate::new("token", config.requests_per_second, clock));
        let failures = Arc::new(KeyedRate::new("ip_failures", config.failures_per_second, clock));
        Self {
            tokens: config.tokens.clone(),
            tls: config.tls.clone(),
            trusted_proxies: config.trusted_proxies.clone(),
            read_timeout: config.read_timeout,
            keep_alive_timeout: config.keep_alive_timeout,
            drain_timeout: config.drain_timeout,
            webhook_targets: config.webhook_targets.clone(),
            webhook_keys: config.webhook_keys.clone(),
            connects,
            own_requests: own_rates(&config.tokens, config.requests_per_second, &HashMap::new(), clock),
            requests,
            failures,
        }
    }

    /// The next version. What was counted under a rate that stays the same counts on.
    pub(in crate::http) fn next(&self, config: &HttpConfig, clock: &Clock) -> Self {
        Self {
            connects: self.connects.at(config.connects_per_second, clock),
            requests: self.requests.at(config.requests_per_second, clock),
            failures: self.failures.at(config.failures_per_second, clock),
            own_requests: own_rates(&config.tokens, config.requests_per_second, &self.own_requests, clock),
            ..Self::new(config, clock)
        }
    }

    /// The next version, with other tokens and nothing else.
    pub(in crate::http) fn with_tokens(&self, tokens: Tokens, clock: &Clock) -> Self {
        let own_requests = own_rates(&tokens, self.requests.per_second(), &self.own_requests, clock);
        Self { tokens, own_requests, ..self.clone() }
    }

    /// Who calls, by its headers.
    pub(in crate::http) fn requester(
        &self,
        authorization: Option<&str>,
        host: Option<&str>,
    ) -> Result<Requester, Problem> {
        self.tokens.requester(authorization, host)
    }

    /// Whether the rate of its token allows a requester another call.
    pub(in crate::http) fn check_rate(&self, requester: &Requester) -> Result<(), RateExceeded> {
        self.own_requests.get(&requester.scope.token_id).unwrap_or(&self.requests).check(&requester.id)
    }

    /// Whether a request may name this URL as its webhook.
    pub(in crate::http) fn check_webhook(&self, requester: &Requester, url: &str) -> Result<(), Problem> {
        let target = self.webhook_targets.iter().find(|target| target.as_str() == url);
        if target.is_some_and(|target| self.may_name(requester, target)) {
            return Ok(());
        }
        let detail = format!("the webhook {WEBHOOK_NOT_ALLOWED}");
        Err(Problem::new(StatusCode::FORBIDDEN, "webhook_not_allowed", detail))
    }

    /// Whether the target allows the requester, and the token the target. A target for certain requesters, none of whom is said, is for
    /// tokens that name it. Without tokens whoever calls is one and the same.
    fn may_name(&self, requester: &Requester, target: &WebhookTarget) -> bool {
        let Scope { webhook_targets, .. } = &*requester.scope;
        let is_named = webhook_targets.as_ref().map(|urls| urls.iter().any(|url| url == target.as_str()));
        let is_for = match target.requesters() {
            None => true,
            Some([]) => is_named.unwrap_or(false) || self.tokens.is_open(),
            Some(ids) => ids.contains(&requester.id) || self.tokens.is_open(),
        };
        is_for && is_named.unwrap_or(true)
    }
}

/// The rates of tokens that have their own, which go on where they stay the same.
fn own_rates(
    tokens: &Tokens,
    otherwise: Option<NonZeroU32>,
    before: &HashMap<String, Arc<KeyedRate<RequesterId>>>,
    clock: &Clock,
) -> HashMap<String, Arc<KeyedRate<RequesterId>>> {
    // Where every rate is lifted, these are.
    let scopes = tokens.with_own_rates().filter(|_| otherwise.is_some());
    let rate = |token: &str, rate: Option<NonZeroU32>| match before.get(token) {
        Some(before) => before.at(rate, clock),
        None => Arc::new(KeyedRate::new("token", rate, clock)),
    };
    scopes.map(|scope| (scope.token_id.clone(), rate(&scope.token_id, scope.requests_per_second))).collect()
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Live")
    }
}

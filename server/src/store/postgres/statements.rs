//! What is said to the database over and over, prepared once for each connection.

use crate::store::rows::COLUMNS;
use tokio_postgres::{Client, Error, Statement};

pub(super) struct Statements {
    pub(super) pid: Statement,
    pub(super) known_keys: Statement,
    pub(super) shares: Statement,
    pub(super) known_requests: Statement,
    pub(super) remember_key: Statement,
    pub(super) insert: Statement,
    pub(super) enqueue: Statement,
    pub(super) add_share: Statement,
    pub(super) progress: Statement,
    pub(super) end: Statement,
    pub(super) event_done: Statement,
    pub(super) event_failed: Statement,
    pub(super) request: Statement,
}

impl Statements {
    pub(super) async fn prepare(client: &Client) -> Result<Self, Error> {
        let prepare = async |sql: &str| client.prepare(sql).await;
        Ok(Self {
            pid: prepare("SELECT pg_backend_pid()").await?,
            known_keys: prepare(
                "SELECT requester_id, key, fingerprint, requests FROM idempotency \
                 JOIN unnest($1::text[], $2::text[]) AS asked (by, under) ON requester_id = by AND key = under",
            )
            .await?,
            shares: prepare("SELECT requester_id, sum(bytes)::bigint AS bytes FROM shares GROUP BY requester_id").await?,
            known_requests: prepare("SELECT id, owner FROM requests WHERE id = ANY ($1)").await?,
            remember_key: prepare(
                "INSERT INTO idempotency (requester_id, key, fingerprint, requests, kept) VALUES ($1, $2, $3, $4, $5) \
                 ON CONFLICT DO NOTHING",
            )
            .await?,
            insert: prepare(
                "INSERT INTO requests (id, public_key, requester_id, requester, purpose, batch_id, batch_index, batch_size, webhook, \
                 deliver_by, expires_at, attempt, queued_at, delivered_at, received_at, displayed_at, ended_at, end_kind, end_phase, \
                 signature, approved_by, device_id, device_label, reject_code, reason, message, idempotency_key, kept_bytes, owner, \
                 reference, metadata) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, \
                 $24, $25, $26, $27, $28, $29, $30, $31)",
            )
            .await?,
            enqueue: prepare(
                "INSERT INTO events (request, target, attempts, next_at) \
                 SELECT id, webhook, 0, ended_at FROM requests WHERE id = $1 AND webhook IS NOT NULL",
            )
            .await?,
            add_share: prepare(
                "INSERT INTO shares (requester_id, part, bytes) VALUES ($1, $2, $3) \
                 ON CONFLICT (requester_id, part) DO UPDATE SET bytes = shares.bytes + excluded.bytes",
            )
            .await?,
            progress: prepare(
                "UPDATE requests SET delivered_at = $2, received_at = $3, displayed_at = $4, attempt = $5 \
                 WHERE id = $1 AND ended_at IS NULL AND owner = $6",
            )
            .await?,
            // The one place where an end is decided: of two writers, one finds no row.
            end: prepare(
                "WITH ended AS (UPDATE requests SET delivered_at = $2, received_at = $3, displayed_at = $4, ended_at = $5, \
                 end_kind = $6, end_phase = $7, signature = $8, approved_by = $9, device_id = $10, device_label = $11, \
                 reject_code = $12, reason = $13 WHERE id = $1 AND ended_at IS NULL AND owner = $14 RETURNING id, webhook, ended_at), \
                 event AS (INSERT INTO events (request, target, attempts, next_at) \
                 SELECT id, webhook, 0, ended_at FROM ended WHERE webhook IS NOT NULL) SELECT id FROM ended",
            )
            .await?,
            event_done: prepare("DELETE FROM events WHERE request = $1").await?,
            event_failed: prepare(
                "UPDATE events SET attempts = $2, next_at = $3, claimed_by = NULL, claimed_until = NULL WHERE request = $1",
            ).await?,
            request: prepare(&format!("SELECT {COLUMNS}, owner FROM requests WHERE id = $1")).await?,
        })
    }
}

/// Nothing moves before the epoch. What is null stays null, which `greatest` by itself would make 0. What another node owns goes by that one's
/// clock.
pub(super) const CLOCK_SET: &str = "WITH first AS (INSERT INTO clock_moves (id) VALUES ($2) ON CONFLICT DO NOTHING RETURNING id), \
    events_too AS (UPDATE events SET next_at = greatest(next_at + $1, 0) FROM requests WHERE requests.id = request \
    AND NOT EXISTS (SELECT FROM nodes WHERE nodes.id = owner AND nodes.id <> $3) AND EXISTS (SELECT FROM first)) \
    UPDATE requests SET deliver_by = greatest(deliver_by + $1, 0), expires_at = greatest(expires_at + $1, 0), \
    queued_at = greatest(queued_at + $1, 0), delivered_at = greatest(delivered_at + $1, delivered_at * 0), \
    received_at = greatest(received_at + $1, received_at * 0), displayed_at = greatest(displayed_at + $1, displayed_at * 0) \
    WHERE ended_at IS NULL AND owner = $3 AND EXISTS (SELECT FROM first)";

CREATE TABLE requests (
    id uuid PRIMARY KEY,
    seq bigint GENERATED ALWAYS AS IDENTITY,
    public_key bytea NOT NULL,
    requester_id text NOT NULL,
    -- Null where the id is the name.
    requester text,
    purpose text,
    batch_id bytea,
    batch_index bigint,
    batch_size bigint,
    webhook text,
    idempotency_key text,
    -- Times are milliseconds since the Unix epoch.
    deliver_by bigint NOT NULL,
    expires_at bigint NOT NULL,
    attempt bigint NOT NULL,
    queued_at bigint NOT NULL,
    delivered_at bigint,
    received_at bigint,
    displayed_at bigint,
    ended_at bigint,
    end_kind text,
    end_phase text,
    signature bytea,
    approved_by text,
    device_id text,
    device_label text,
    reject_code text,
    reason text,
    -- What it was counted with in shares, so that as much is taken off again.
    kept_bytes bigint NOT NULL,
    message bytea NOT NULL,
    CHECK ((end_kind IS NULL) = (ended_at IS NULL))
);

-- In the order in which they were accepted.
CREATE INDEX requests_open ON requests (seq) WHERE ended_at IS NULL;
CREATE INDEX requests_ended ON requests (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE idempotency (
    requester_id text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    -- The ids, 16 bytes each, in the order in which they were asked for.
    requests bytea NOT NULL,
    -- How many of them are not forgotten yet.
    kept bigint NOT NULL,
    PRIMARY KEY (requester_id, key)
);

CREATE TABLE events (
    request uuid PRIMARY KEY REFERENCES requests (id),
    -- Events are found by where they are to be told, so that those of an address that hangs are not in the way of others.
    target text NOT NULL,
    attempts bigint NOT NULL,
    next_at bigint NOT NULL
);

CREATE INDEX events_due ON events (target, next_at);

-- How much each requester's requests take, an estimate in bytes: the sum of its parts, of which one alone may be negative. Each connection
-- counts in a part of its own, so that no two servers wait for each other's commits.
CREATE TABLE shares (
    requester_id text NOT NULL,
    part bigint NOT NULL,
    bytes bigint NOT NULL,
    PRIMARY KEY (requester_id, part)
);

-- Which corrections of the clock have been made, so that none is made twice where nobody knows whether its commit came about.
CREATE TABLE clock_moves (
    id uuid PRIMARY KEY,
    moved_at timestamptz NOT NULL DEFAULT now()
);

-- The public keys of all servers whose receipts and webhooks may still be verified.
CREATE TABLE server_keys (
    public_key bytea PRIMARY KEY,
    last_used_at timestamptz NOT NULL DEFAULT now()
);

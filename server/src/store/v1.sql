CREATE TABLE requests (
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    public_key BLOB NOT NULL,
    requester TEXT NOT NULL,
    purpose TEXT,
    batch_id BLOB,
    batch_index INTEGER,
    batch_size INTEGER,
    webhook TEXT,
    idempotency_key TEXT,
    -- Times are milliseconds since the Unix epoch.
    deliver_by INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    queued_at INTEGER NOT NULL,
    delivered_at INTEGER,
    received_at INTEGER,
    displayed_at INTEGER,
    ended_at INTEGER,
    end_kind TEXT,
    end_phase TEXT,
    signature BLOB,
    approved_by TEXT,
    device_id TEXT,
    device_label TEXT,
    reject_code TEXT,
    reason TEXT,
    -- Last, because a long one continues on pages of its own.
    message BLOB NOT NULL,
    CHECK ((end_kind IS NULL) = (ended_at IS NULL))
) STRICT;

CREATE INDEX requests_open ON requests (seq) WHERE end_kind IS NULL;
CREATE INDEX requests_ended ON requests (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE idempotency (
    requester TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    -- The ids, 16 bytes each, in the order in which they were asked for.
    requests BLOB NOT NULL,
    -- How many of them are not forgotten yet.
    kept INTEGER NOT NULL,
    PRIMARY KEY (requester, key)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER idempotency_ends AFTER DELETE ON requests WHEN OLD.idempotency_key IS NOT NULL BEGIN
    UPDATE idempotency SET kept = kept - 1 WHERE requester = OLD.requester AND key = OLD.idempotency_key;
    DELETE FROM idempotency WHERE requester = OLD.requester AND key = OLD.idempotency_key AND kept <= 0;
END;

CREATE TABLE events (
    request INTEGER PRIMARY KEY REFERENCES requests (seq),
    attempts INTEGER NOT NULL,
    next_at INTEGER NOT NULL
) STRICT;

CREATE INDEX events_due ON events (next_at);

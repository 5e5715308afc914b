-- The servers that use the database. One whose row is gone is gone for good; should it still run, it goes on under another id.
CREATE TABLE nodes (
    id bigint PRIMARY KEY,
    -- The advisory lock that its process holds for as long as it lives.
    lock integer NOT NULL,
    -- Whoever finds this over may delete the row.
    lease_until timestamptz NOT NULL
);

-- Which wallets are connected, and where. What a crash forgets is said again.
CREATE UNLOGGED TABLE presence (
    connection uuid PRIMARY KEY,
    -- Empty in the one row of each node by which it knows that the others are still there.
    public_key bytea NOT NULL,
    node bigint NOT NULL,
    device_id text,
    device_label text
);

CREATE INDEX presence_key ON presence (public_key);

-- Who decides how it ends. One that has no row in nodes is none.
ALTER TABLE requests ADD COLUMN owner bigint;

CREATE INDEX requests_owned ON requests (owner) WHERE ended_at IS NULL;

-- Who tells it, and until when nobody else does.
ALTER TABLE events ADD COLUMN claimed_by bigint;
ALTER TABLE events ADD COLUMN claimed_until timestamptz;

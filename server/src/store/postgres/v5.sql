-- Who may use the API, as `countersign token` keeps them. Of a token there is the hash alone: it is random, so nobody guesses it from that.
CREATE TABLE tokens (
    -- SHA-256 of the token.
    sha256 bytea PRIMARY KEY,
    -- What a [[token]] table says of it, as a JSON object. What a server does not know of it may hold the token back, so it takes none then.
    entry text NOT NULL,
    -- Milliseconds since the Unix epoch.
    created_at bigint NOT NULL,
    changed_at bigint NOT NULL
);

-- Keys of which nothing is asked, and that nobody holds, on an operator's word.
CREATE TABLE blocked_keys (
    public_key bytea PRIMARY KEY,
    since bigint NOT NULL,
    -- Null for as long as nobody says otherwise.
    until bigint,
    reason text
);

-- That something was erased, and how much: never what, nor whose.
CREATE TABLE purges (
    at bigint NOT NULL,
    -- SHA-256 over whose requests, in hex.
    scope text NOT NULL,
    requests bigint NOT NULL,
    events bigint NOT NULL
);

-- Keys of which nothing is asked, and that nobody holds, on an operator's word.
CREATE TABLE blocked_keys (
    public_key bytea PRIMARY KEY,
    since bigint NOT NULL,
    -- Null for as long as nobody says otherwise.
    until bigint,
    reason text
);

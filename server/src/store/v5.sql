-- Keys of which nothing is asked, and that nobody holds, on an operator's word.
CREATE TABLE blocked_keys (
    public_key BLOB PRIMARY KEY,
    since INTEGER NOT NULL,
    -- Null for as long as nobody says otherwise.
    until INTEGER,
    reason TEXT
) STRICT, WITHOUT ROWID;

-- That something was erased, and how much: never what, nor whose.
CREATE TABLE purges (
    at INTEGER NOT NULL,
    -- SHA-256 over whose requests, in hex.
    scope TEXT NOT NULL,
    requests INTEGER NOT NULL,
    events INTEGER NOT NULL
) STRICT;

-- Requests belong to an id; the name that wallets show may change.
ALTER TABLE requests RENAME COLUMN requester TO requester_id;
ALTER TABLE idempotency RENAME COLUMN requester TO requester_id;
-- Null where the id is the name.
ALTER TABLE requests ADD COLUMN requester TEXT;

-- How much each requester's requests take, kept by these triggers alone: an estimate in bytes, the same one by which room is judged.
CREATE TABLE shares (
    requester_id TEXT PRIMARY KEY,
    bytes INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO shares
    SELECT requester_id, sum(2 * (length(message) + 3 * ifnull(length(webhook), 0) + 512) + 1024) FROM requests GROUP BY requester_id;

CREATE TRIGGER shares_grow AFTER INSERT ON requests BEGIN
    INSERT INTO shares
        VALUES (NEW.requester_id, 2 * (length(NEW.message) + 3 * ifnull(length(NEW.webhook), 0) + 512) + 1024)
        ON CONFLICT DO UPDATE SET bytes = bytes + excluded.bytes;
END;

CREATE TRIGGER shares_shrink AFTER DELETE ON requests BEGIN
    UPDATE shares SET bytes = bytes - (2 * (length(OLD.message) + 3 * ifnull(length(OLD.webhook), 0) + 512) + 1024)
        WHERE requester_id = OLD.requester_id;
    DELETE FROM shares WHERE requester_id = OLD.requester_id AND bytes <= 0;
END;

-- What a requester calls a request, and what it wants to find beside it again: a JSON object of texts.
ALTER TABLE requests ADD COLUMN reference TEXT;
ALTER TABLE requests ADD COLUMN metadata TEXT;

-- A requester's own, newest first: all, what is open, those of a reference, those of a batch.
CREATE INDEX requests_of ON requests (requester_id, id);
CREATE INDEX requests_open_of ON requests (requester_id, id) WHERE ended_at IS NULL;
CREATE INDEX requests_reference ON requests (requester_id, reference, id) WHERE reference IS NOT NULL;
CREATE INDEX requests_batch ON requests (requester_id, batch_id, id) WHERE batch_id IS NOT NULL;

-- These two count as what stands in the row. What was there before has neither, and was counted the same.
DROP TRIGGER shares_grow;
DROP TRIGGER shares_shrink;

CREATE TRIGGER shares_grow AFTER INSERT ON requests BEGIN
    INSERT INTO shares
        VALUES (NEW.requester_id, 2 * (length(NEW.message) + 3 * ifnull(length(NEW.webhook), 0)
            + 2 * ifnull(length(CAST(NEW.reference AS BLOB)), 0) + ifnull(length(CAST(NEW.metadata AS BLOB)), 0) + 512) + 1024)
        ON CONFLICT DO UPDATE SET bytes = bytes + excluded.bytes;
END;

CREATE TRIGGER shares_shrink AFTER DELETE ON requests BEGIN
    UPDATE shares SET bytes = bytes - (2 * (length(OLD.message) + 3 * ifnull(length(OLD.webhook), 0)
            + 2 * ifnull(length(CAST(OLD.reference AS BLOB)), 0) + ifnull(length(CAST(OLD.metadata AS BLOB)), 0) + 512) + 1024)
        WHERE requester_id = OLD.requester_id;
    DELETE FROM shares WHERE requester_id = OLD.requester_id AND bytes <= 0;
END;

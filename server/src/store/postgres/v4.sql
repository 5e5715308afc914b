-- What a requester calls a request, and what it wants to find beside it again: a JSON object of texts.
ALTER TABLE requests ADD COLUMN reference text;
ALTER TABLE requests ADD COLUMN metadata text;

-- A requester's own, newest first: all, what is open, those of a reference, those of a batch.
CREATE INDEX requests_of ON requests (requester_id, id);
CREATE INDEX requests_open_of ON requests (requester_id, id) WHERE ended_at IS NULL;
CREATE INDEX requests_reference ON requests (requester_id, reference, id) WHERE reference IS NOT NULL;
CREATE INDEX requests_batch ON requests (requester_id, batch_id, id) WHERE batch_id IS NOT NULL;

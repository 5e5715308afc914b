-- Events are found by where they are to be told, so that those of an address that hangs are not in the way of others.
ALTER TABLE events ADD COLUMN target TEXT;
UPDATE events SET target = (SELECT webhook FROM requests WHERE seq = request);
DROP INDEX events_due;
CREATE INDEX events_due ON events (target, next_at);

/**
 * Steps forward, oldest first. A step that has been released is never edited; a change is a new step.
 * The number of steps taken is the database's `user_version`.
 */
export const SCHEMA_STEPS: readonly string[] = [
  `
  CREATE TABLE uploads (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    status TEXT NOT NULL,
    offset INTEGER NOT NULL,
    length INTEGER,
    epoch INTEGER NOT NULL,
    chore TEXT,
    durability TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    last_write_at INTEGER NOT NULL,
    expires_at INTEGER,
    finished_at INTEGER,
    place TEXT NOT NULL,
    inlined INTEGER NOT NULL,
    cold TEXT NOT NULL
  ) STRICT;

  -- Partial, and none on a column that every append changes: a complete upload is in none of them.
  CREATE INDEX uploads_chore ON uploads (id) WHERE chore IS NOT NULL;
  CREATE INDEX uploads_expiry ON uploads (expires_at) WHERE expires_at IS NOT NULL;
  CREATE INDEX uploads_unfinished ON uploads (number) WHERE status IN ('receiving', 'finishing');
  CREATE INDEX uploads_gone ON uploads (last_write_at) WHERE status IN ('cancelled', 'expired', 'failed');

  -- Apart from the record, so that a change of status does not write the bytes again.
  CREATE TABLE inline_bytes (upload INTEGER PRIMARY KEY, bytes BLOB) STRICT;
  CREATE TRIGGER inline_moved AFTER UPDATE OF inlined ON uploads WHEN old.inlined AND NOT new.inlined
    BEGIN DELETE FROM inline_bytes WHERE upload = old.number; END;
  CREATE TRIGGER inline_forgotten AFTER DELETE ON uploads WHEN old.inlined
    BEGIN DELETE FROM inline_bytes WHERE upload = old.number; END;

  -- AUTOINCREMENT: a sequence that was acknowledged and deleted must never be given out again.
  CREATE TABLE outbox (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    upload_id TEXT NOT NULL,
    type TEXT NOT NULL,
    at INTEGER NOT NULL,
    payload TEXT NOT NULL
  ) STRICT;

  CREATE TABLE leases (
    upload_id TEXT PRIMARY KEY,
    writer TEXT NOT NULL,
    wanted INTEGER NOT NULL DEFAULT 0
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE processes (
    writer TEXT PRIMARY KEY,
    identity TEXT NOT NULL,
    mode TEXT NOT NULL,
    beat INTEGER NOT NULL DEFAULT 0,
    expulsion INTEGER
  ) STRICT;

  CREATE TABLE meta (name TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
  INSERT INTO meta VALUES ('expulsions', 0);
  `,
  `
  ALTER TABLE uploads ADD COLUMN owner TEXT;
  ALTER TABLE uploads ADD COLUMN quota INTEGER NOT NULL DEFAULT 0;
  -- Also told by cold; a column, so that a trigger need not parse what may be nested without end.
  ALTER TABLE uploads ADD COLUMN partial INTEGER NOT NULL DEFAULT 0;
  UPDATE uploads SET partial = 1 WHERE json_extract(cold, '$.concat.kind') = 'partial';
  -- The last one: it may be long, and what comes before it is read without it.
  ALTER TABLE uploads ADD COLUMN handling TEXT;
  CREATE INDEX uploads_finished ON uploads (finished_at) WHERE status = 'complete';

  -- What each owner has, so that a bound costs one look. Sums stop at 2^62, before they overflow. Neither an upsert nor
  -- min() here: either makes every insert of any upload prepare for undoing itself alone, which costs half of it again.
  CREATE TABLE owners (
    owner TEXT PRIMARY KEY,
    bytes INTEGER NOT NULL,
    uploads INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TRIGGER owner_gained AFTER INSERT ON uploads WHEN new.owner IS NOT NULL
    BEGIN
      INSERT INTO owners SELECT new.owner, 0, 0 WHERE NOT EXISTS (SELECT 1 FROM owners WHERE owner = new.owner);
      UPDATE owners SET
        bytes = bytes + iif(new.status IN ('cancelled', 'expired', 'failed'), 0, new.quota),
        uploads = uploads + (new.status IN ('receiving', 'finishing'))
        WHERE owner = new.owner;
      UPDATE owners SET bytes = 0x4000000000000000 WHERE owner = new.owner AND bytes > 0x4000000000000000;
    END;
  CREATE TRIGGER owner_changed AFTER UPDATE OF status, quota ON uploads WHEN new.owner IS NOT NULL
    BEGIN
      INSERT INTO owners SELECT new.owner, 0, 0 WHERE NOT EXISTS (SELECT 1 FROM owners WHERE owner = new.owner);
      UPDATE owners SET
        bytes = bytes + iif(new.status IN ('cancelled', 'expired', 'failed'), 0, new.quota)
          - iif(old.status IN ('cancelled', 'expired', 'failed'), 0, old.quota),
        uploads = uploads + (new.status IN ('receiving', 'finishing')) - (old.status IN ('receiving', 'finishing'))
        WHERE owner = new.owner;
      UPDATE owners SET bytes = 0x4000000000000000 WHERE owner = new.owner AND bytes > 0x4000000000000000;
      DELETE FROM owners WHERE owner = new.owner AND bytes <= 0 AND uploads <= 0;
    END;
  CREATE TRIGGER owner_lost AFTER DELETE ON uploads WHEN old.owner IS NOT NULL
    BEGIN
      UPDATE owners SET
        bytes = bytes - iif(old.status IN ('cancelled', 'expired', 'failed'), 0, old.quota),
        uploads = uploads - (old.status IN ('receiving', 'finishing'))
        WHERE owner = old.owner;
      DELETE FROM owners WHERE owner = old.owner AND bytes <= 0 AND uploads <= 0;
    END;

  DROP TABLE outbox;

  -- What the states mean is told in queue-statements.ts. AUTOINCREMENT: a sequence is never given out again.
  CREATE TABLE queue (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    queue TEXT NOT NULL,
    upload_id TEXT NOT NULL,
    state TEXT NOT NULL,
    held INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    type TEXT NOT NULL,
    payload TEXT NOT NULL,
    last_error TEXT
  ) STRICT;
  -- Within equal keys an index is in the order of sequence.
  CREATE INDEX queue_ready ON queue (queue) WHERE state = 'ready';
  CREATE INDEX queue_later ON queue (queue, due_at) WHERE state = 'later';
  CREATE INDEX queue_dead ON queue (sequence) WHERE state = 'dead';
  CREATE INDEX queue_upload ON queue (upload_id, queue);
  CREATE TRIGGER queue_done AFTER DELETE ON queue WHEN old.state <> 'dead'
    BEGIN
      UPDATE OR FAIL queue SET state = 'ready' WHERE sequence = (
        SELECT sequence FROM queue
        WHERE upload_id = old.upload_id AND queue = old.queue AND state <> 'dead' ORDER BY sequence LIMIT 1
      ) AND state = 'behind';
    END;
  CREATE TRIGGER queue_given_up AFTER UPDATE OF state ON queue WHEN new.state = 'dead'
    BEGIN
      UPDATE OR FAIL queue SET state = 'ready' WHERE sequence = (
        SELECT sequence FROM queue
        WHERE upload_id = new.upload_id AND queue = new.queue AND state <> 'dead' ORDER BY sequence LIMIT 1
      ) AND state = 'behind';
    END;

  -- Claims, once somebody has asked for them: then there is a row 'claims' in meta.
  CREATE TRIGGER claim_inserted AFTER INSERT ON uploads
    WHEN new.status = 'complete' AND NOT new.partial AND EXISTS (SELECT 1 FROM meta WHERE name = 'claims')
    BEGIN
      INSERT INTO queue (queue, upload_id, state, at, due_at, type, payload)
      SELECT 'claims', new.id, 'ready', at, at, 'claim', '{}'
      FROM (SELECT coalesce(new.finished_at, new.last_write_at) AS at);
    END;
  CREATE TRIGGER claim_completed AFTER UPDATE OF status ON uploads
    WHEN new.status = 'complete' AND old.status <> 'complete' AND NOT new.partial
      AND EXISTS (SELECT 1 FROM meta WHERE name = 'claims')
    BEGIN
      INSERT INTO queue (queue, upload_id, state, at, due_at, type, payload)
      SELECT 'claims', new.id, 'ready', at, at, 'claim', '{}'
      FROM (SELECT coalesce(new.finished_at, new.last_write_at) AS at);
    END;
  CREATE TRIGGER claim_forgotten AFTER DELETE ON uploads WHEN EXISTS (SELECT 1 FROM meta WHERE name = 'claims')
    BEGIN DELETE FROM queue WHERE upload_id = old.id AND queue = 'claims'; END;
  `,
]

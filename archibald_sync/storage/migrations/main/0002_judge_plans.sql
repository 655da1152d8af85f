-- What a plan is judged by, and what an admin may do about the judgement.

-- Filled values a delivered field in the extract: {"rows": 4540, "filled": {"name": 4540}}.
ALTER TABLE sync_sessions ADD COLUMN coverage TEXT;
ALTER TABLE sync_sessions ADD COLUMN itemsRenamed INTEGER;
-- The source said that nothing changed, and was believed: checked, but not verified.
ALTER TABLE sync_sessions ADD COLUMN isShortcut INTEGER NOT NULL DEFAULT 0;
-- The newest change when the session wrote its own: they begin after it.
ALTER TABLE sync_sessions ADD COLUMN changesAfter INTEGER;

ALTER TABLE sync_runs ADD COLUMN isDryRun INTEGER NOT NULL DEFAULT 0;
-- The held run whose plan this run may apply; and who approved a held run, when.
ALTER TABLE sync_runs ADD COLUMN approves TEXT;
ALTER TABLE sync_runs ADD COLUMN approvedAt INTEGER;
ALTER TABLE sync_runs ADD COLUMN approvedBy TEXT;

-- Filled values a field over the active records; null after a foreign edit: count anew.
ALTER TABLE catalogue_state ADD COLUMN coverage TEXT;
-- What to show the source so that it can say that nothing changed; null: read everything.
ALTER TABLE catalogue_state ADD COLUMN validator TEXT;

ALTER TABLE sync_totals ADD COLUMN lastVerifiedAt INTEGER;
UPDATE sync_totals SET lastVerifiedAt = lastSuccessAt;

DROP TRIGGER sync_sessions_count_update;
-- A rollback is no sync of the source: it is counted, but is no success of a check.
CREATE TRIGGER sync_sessions_count_update AFTER UPDATE OF status, completedAt, startedAt ON sync_sessions
BEGIN
  UPDATE sync_totals
  SET successfulSyncs = successfulSyncs + (NEW.status = 'completed') - (OLD.status = 'completed'),
      failedSyncs = failedSyncs + (NEW.status = 'failed') - (OLD.status = 'failed'),
      endedSyncs = endedSyncs + (NEW.completedAt IS NOT NULL) - (OLD.completedAt IS NOT NULL),
      durationMs = durationMs + COALESCE(NEW.completedAt - NEW.startedAt, 0)
                              - COALESCE(OLD.completedAt - OLD.startedAt, 0),
      lastCheckedAt = CASE WHEN NEW.status IN ('completed', 'held') AND NEW.syncMode <> 'rollback'
        THEN NEW.completedAt ELSE lastCheckedAt END,
      lastSuccessAt = CASE WHEN NEW.status = 'completed' AND NEW.syncMode <> 'rollback'
        THEN NEW.completedAt ELSE lastSuccessAt END,
      lastVerifiedAt = CASE
        WHEN NEW.status = 'completed' AND NEW.syncMode <> 'rollback' AND NOT NEW.isShortcut
        THEN NEW.completedAt ELSE lastVerifiedAt END,
      lastChangeAt = CASE
        WHEN NEW.status = 'completed'
         AND COALESCE(NEW.itemsCreated, 0) + COALESCE(NEW.itemsUpdated, 0)
           + COALESCE(NEW.itemsDeleted, 0) + COALESCE(NEW.itemsRestored, 0) > 0
        THEN NEW.completedAt ELSE lastChangeAt END
  WHERE syncType = NEW.syncType;
END;

-- After an attempt that went wrong the source must prove everything again.
CREATE TRIGGER sync_sessions_forget_validator AFTER UPDATE OF status ON sync_sessions
WHEN NEW.status IN ('failed', 'held', 'interrupted')
BEGIN
  UPDATE catalogue_state SET validator = NULL WHERE resource = NEW.syncType;
END;

-- How records stood before a session marked them as missing, deleted, restored or back.
CREATE TABLE catalogue_marks (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  resource TEXT NOT NULL,
  sessionId TEXT NOT NULL,
  recordRowId INTEGER NOT NULL,
  missingRuns INTEGER NOT NULL,
  deletedAt INTEGER
) STRICT;

CREATE INDEX idx_catalogue_marks_session ON catalogue_marks(resource, sessionId);

-- SQLite cannot change a CHECK: the table is made anew, its numbering goes on.
CREATE TABLE intents_new (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  resource TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('boot', 'start', 'stop', 'run', 'approve', 'rollback')),
  parameters TEXT NOT NULL,
  requestedBy TEXT,
  requestedAt INTEGER NOT NULL,
  expiresAt INTEGER,
  idempotencyKey TEXT,
  state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'applied', 'rejected', 'expired')),
  result TEXT,
  answeredAt INTEGER,
  epoch INTEGER
) STRICT;

INSERT INTO intents_new SELECT * FROM intents;
DELETE FROM sqlite_sequence WHERE name = 'intents_new';
INSERT INTO sqlite_sequence (name, seq) SELECT 'intents_new', seq FROM sqlite_sequence WHERE name = 'intents';
DROP TABLE intents;
ALTER TABLE intents_new RENAME TO intents;

CREATE INDEX idx_intents_pending ON intents(resource, id) WHERE state = 'pending';
CREATE UNIQUE INDEX idx_intents_key ON intents(resource, idempotencyKey) WHERE idempotencyKey IS NOT NULL;

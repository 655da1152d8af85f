-- What a page shows of runs: how they wait, how long each stage took, what they said, and
-- what changed a day.

-- When the next attempt begins of a run that waits for it, and how many there may be.
ALTER TABLE sync_runs ADD COLUMN nextAttemptAt INTEGER;
ALTER TABLE sync_runs ADD COLUMN maxAttempts INTEGER;
CREATE INDEX idx_sync_runs_outcome ON sync_runs(resource, outcome, startedAt DESC, id DESC);
CREATE INDEX idx_sync_runs_trigger ON sync_runs(resource, "trigger", startedAt DESC, id DESC);
CREATE INDEX idx_sync_runs_both ON sync_runs(resource, "trigger", outcome, startedAt DESC, id DESC);

-- Milliseconds a stage: {"download": 812, "plan": 90, "apply": 14}.
ALTER TABLE sync_sessions ADD COLUMN stageMs TEXT;

-- The lines that were logged for a run, in the order of their numbers. They go with it.
CREATE TABLE run_lines (
  runId TEXT NOT NULL REFERENCES sync_runs (id) ON DELETE CASCADE,
  number INTEGER NOT NULL,
  loggedAt INTEGER NOT NULL,
  level TEXT NOT NULL CHECK (level IN ('debug', 'info', 'warning', 'error', 'critical')),
  component TEXT NOT NULL,
  message TEXT NOT NULL,
  fields TEXT,
  PRIMARY KEY (runId, number)
) STRICT, WITHOUT ROWID;

-- Changes a day (UTC; days since the epoch), so that nobody has to read the change log.
CREATE TABLE sync_days (
  syncType TEXT NOT NULL,
  day INTEGER NOT NULL,
  created INTEGER NOT NULL DEFAULT 0,
  updated INTEGER NOT NULL DEFAULT 0,
  deleted INTEGER NOT NULL DEFAULT 0,
  restored INTEGER NOT NULL DEFAULT 0,
  renamed INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (syncType, day)
) STRICT, WITHOUT ROWID;

INSERT INTO sync_days (syncType, day, created, updated, deleted, restored, renamed)
SELECT syncType, completedAt / 86400000,
       SUM(COALESCE(itemsCreated, 0)), SUM(COALESCE(itemsUpdated, 0)),
       SUM(COALESCE(itemsDeleted, 0)), SUM(COALESCE(itemsRestored, 0)),
       SUM(COALESCE(itemsRenamed, 0))
FROM sync_sessions
WHERE status = 'completed' AND completedAt IS NOT NULL
GROUP BY syncType, completedAt / 86400000;

-- A session is completed in the transaction that writes its changes: the tally is, too.
CREATE TRIGGER sync_sessions_tally_changes AFTER UPDATE OF status ON sync_sessions
WHEN NEW.status = 'completed' AND OLD.status <> 'completed' AND NEW.completedAt IS NOT NULL
BEGIN
  INSERT INTO sync_days (syncType, day)
  VALUES (NEW.syncType, NEW.completedAt / 86400000) ON CONFLICT DO NOTHING;
  UPDATE sync_days
  SET created = created + COALESCE(NEW.itemsCreated, 0),
      updated = updated + COALESCE(NEW.itemsUpdated, 0),
      deleted = deleted + COALESCE(NEW.itemsDeleted, 0),
      restored = restored + COALESCE(NEW.itemsRestored, 0),
      renamed = renamed + COALESCE(NEW.itemsRenamed, 0)
  WHERE syncType = NEW.syncType AND day = NEW.completedAt / 86400000;
END;

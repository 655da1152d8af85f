-- The plan's table to the letter, then our columns.
CREATE TABLE IF NOT EXISTS sync_sessions (
  id TEXT PRIMARY KEY,
  syncType TEXT NOT NULL,
  startedAt INTEGER NOT NULL,
  completedAt INTEGER,
  status TEXT NOT NULL CHECK (status IN ('running', 'completed', 'failed', 'held', 'cancelled', 'interrupted')),
  totalPages INTEGER,
  pagesProcessed INTEGER,
  itemsProcessed INTEGER,
  itemsCreated INTEGER,
  itemsUpdated INTEGER,
  itemsDeleted INTEGER,
  errorMessage TEXT,
  syncMode TEXT NOT NULL,
  runId TEXT REFERENCES sync_runs (id),
  attempt INTEGER NOT NULL DEFAULT 1,
  "trigger" TEXT,
  requestedBy TEXT,
  itemsUnchanged INTEGER,
  itemsRestored INTEGER,
  itemsRejected INTEGER,
  itemsMissing INTEGER,
  totalItems INTEGER,
  stage TEXT,
  heartbeatAt INTEGER,
  epoch INTEGER,
  errorCode TEXT
) STRICT;

CREATE INDEX IF NOT EXISTS idx_sync_sessions_type ON sync_sessions(syncType);
CREATE INDEX IF NOT EXISTS idx_sync_sessions_started ON sync_sessions(startedAt);
CREATE INDEX idx_sync_sessions_newest ON sync_sessions(syncType, startedAt DESC, id DESC);
CREATE INDEX idx_sync_sessions_run ON sync_sessions(runId);
CREATE UNIQUE INDEX idx_sync_sessions_one_running ON sync_sessions(syncType) WHERE status = 'running';

CREATE TABLE sync_runs (
  id TEXT PRIMARY KEY,
  resource TEXT NOT NULL,
  "trigger" TEXT NOT NULL,
  requestedBy TEXT,
  dueAt INTEGER,
  startedAt INTEGER NOT NULL,
  endedAt INTEGER,
  outcome TEXT CHECK (outcome IN ('completed', 'failed', 'held', 'skipped', 'cancelled', 'interrupted')),
  reason TEXT,
  detail TEXT,
  attempts INTEGER NOT NULL DEFAULT 0,
  latenessMs INTEGER,
  epoch INTEGER NOT NULL,
  summary TEXT
) STRICT;

CREATE INDEX idx_sync_runs_newest ON sync_runs(resource, startedAt DESC, id DESC);
CREATE UNIQUE INDEX idx_sync_runs_one_working ON sync_runs(resource) WHERE outcome IS NULL;

-- Totals over all sessions ever: pruning old sessions changes no metric, and reading
-- them costs the same at any age. Triggers keep them, whoever writes.
CREATE TABLE sync_totals (
  syncType TEXT PRIMARY KEY,
  totalSyncs INTEGER NOT NULL DEFAULT 0,
  successfulSyncs INTEGER NOT NULL DEFAULT 0,
  failedSyncs INTEGER NOT NULL DEFAULT 0,
  endedSyncs INTEGER NOT NULL DEFAULT 0,
  durationMs INTEGER NOT NULL DEFAULT 0,
  lastSyncAt INTEGER,
  lastCheckedAt INTEGER,
  lastSuccessAt INTEGER,
  lastChangeAt INTEGER
) STRICT;

CREATE TRIGGER sync_sessions_count_insert AFTER INSERT ON sync_sessions
BEGIN
  INSERT INTO sync_totals (syncType) VALUES (NEW.syncType) ON CONFLICT DO NOTHING;
  UPDATE sync_totals
  SET totalSyncs = totalSyncs + 1,
      successfulSyncs = successfulSyncs + (NEW.status = 'completed'),
      failedSyncs = failedSyncs + (NEW.status = 'failed'),
      endedSyncs = endedSyncs + (NEW.completedAt IS NOT NULL),
      durationMs = durationMs + COALESCE(NEW.completedAt - NEW.startedAt, 0),
      lastSyncAt = MAX(COALESCE(lastSyncAt, NEW.startedAt), NEW.startedAt)
  WHERE syncType = NEW.syncType;
END;

CREATE TRIGGER sync_sessions_count_update AFTER UPDATE OF status, completedAt, startedAt ON sync_sessions
BEGIN
  UPDATE sync_totals
  SET successfulSyncs = successfulSyncs + (NEW.status = 'completed') - (OLD.status = 'completed'),
      failedSyncs = failedSyncs + (NEW.status = 'failed') - (OLD.status = 'failed'),
      endedSyncs = endedSyncs + (NEW.completedAt IS NOT NULL) - (OLD.completedAt IS NOT NULL),
      durationMs = durationMs + COALESCE(NEW.completedAt - NEW.startedAt, 0)
                              - COALESCE(OLD.completedAt - OLD.startedAt, 0),
      lastCheckedAt = CASE WHEN NEW.status IN ('completed', 'held') THEN NEW.completedAt ELSE lastCheckedAt END,
      lastSuccessAt = CASE WHEN NEW.status = 'completed' THEN NEW.completedAt ELSE lastSuccessAt END,
      lastChangeAt = CASE
        WHEN NEW.status = 'completed'
         AND COALESCE(NEW.itemsCreated, 0) + COALESCE(NEW.itemsUpdated, 0)
           + COALESCE(NEW.itemsDeleted, 0) + COALESCE(NEW.itemsRestored, 0) > 0
        THEN NEW.completedAt ELSE lastChangeAt END
  WHERE syncType = NEW.syncType;
END;

CREATE TABLE catalogue_state (
  resource TEXT PRIMARY KEY,
  mappingVersion TEXT NOT NULL,
  revision INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE scheduler_state (
  resource TEXT PRIMARY KEY,
  desired TEXT NOT NULL CHECK (desired IN ('started', 'stopped')),
  intervalMinutes INTEGER NOT NULL CHECK (intervalMinutes BETWEEN 1 AND 1440),
  nextDueAt INTEGER,
  changedAt INTEGER NOT NULL,
  changedBy TEXT,
  CHECK ((desired = 'started') = (nextDueAt IS NOT NULL))
) STRICT;

CREATE TABLE owner_lease (
  name TEXT PRIMARY KEY,
  epoch INTEGER NOT NULL,
  owner TEXT NOT NULL,
  pid INTEGER NOT NULL,
  bootId TEXT NOT NULL,
  expiresBootMs INTEGER NOT NULL,
  hasFlock INTEGER NOT NULL,
  acquiredAt INTEGER NOT NULL,
  renewedAt INTEGER NOT NULL
) STRICT;

CREATE TABLE intents (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  resource TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('boot', 'start', 'stop', 'run')),
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

CREATE INDEX idx_intents_pending ON intents(resource, id) WHERE state = 'pending';
CREATE UNIQUE INDEX idx_intents_key ON intents(resource, idempotencyKey) WHERE idempotencyKey IS NOT NULL;

CREATE TABLE users (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE COLLATE NOCASE,
  passwordHash TEXT NOT NULL,
  role TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
  createdAt INTEGER NOT NULL,
  disabledAt INTEGER
) STRICT;

-- name: insert_session
-- Begin an attempt.
INSERT INTO sync_sessions (id, syncType, startedAt, status, syncMode, runId, attempt,
                           "trigger", requestedBy, stage, heartbeatAt, epoch)
VALUES (:id, :syncType, :startedAt, 'running', :syncMode, :runId, :attempt,
        :trigger, :requestedBy, :stage, :startedAt, :epoch)

-- name: session_exists
-- Whether an id of a session is taken.
SELECT 1 FROM sync_sessions WHERE id = :id

-- name: update_progress
-- Keep how far a running session has come.
UPDATE sync_sessions
SET stage = :stage,
    pagesProcessed = :pages,
    totalPages = :totalPages,
    itemsProcessed = :items,
    totalItems = :totalItems,
    heartbeatAt = :now
WHERE id = :id AND status = 'running'

-- name: touch_session
-- Say that somebody still works on the running session.
UPDATE sync_sessions
SET heartbeatAt = :now
WHERE syncType IN (:syncType, :syncType || '-dry') AND status = 'running'

-- name: end_session
-- Record how a running session ended.
UPDATE sync_sessions
SET completedAt = :completedAt,
    status = :status,
    itemsProcessed = :itemsProcessed,
    itemsCreated = :itemsCreated,
    itemsUpdated = :itemsUpdated,
    itemsDeleted = :itemsDeleted,
    itemsUnchanged = :itemsUnchanged,
    itemsRestored = :itemsRestored,
    itemsRejected = :itemsRejected,
    itemsMissing = :itemsMissing,
    itemsRenamed = :itemsRenamed,
    errorCode = :errorCode,
    errorMessage = :errorMessage,
    coverage = :coverage,
    changesAfter = :changesAfter,
    isShortcut = :isShortcut,
    stageMs = :stageMs,
    heartbeatAt = :completedAt
WHERE id = :id AND status = 'running'

-- name: insert_run
-- Begin a run.
INSERT INTO sync_runs (id, resource, "trigger", requestedBy, dueAt, startedAt, latenessMs,
                       epoch, approves, isDryRun, maxAttempts)
VALUES (:id, :resource, :trigger, :requestedBy, :dueAt, :startedAt, :latenessMs,
        :epoch, :approves, :isDryRun, :maxAttempts)

-- name: set_next_attempt
-- Say when the next attempt of a working run begins, or that it does not wait for one.
UPDATE sync_runs SET nextAttemptAt = :nextAttemptAt WHERE id = :id AND outcome IS NULL

-- name: approve_run
-- Say who approved a held run.
UPDATE sync_runs SET approvedAt = :approvedAt, approvedBy = :approvedBy WHERE id = :id

-- name: newest_held_run
-- The run that was held last, in the order they were begun.
SELECT id FROM sync_runs WHERE resource = :resource AND outcome = 'held' ORDER BY rowid DESC LIMIT 1

-- name: insert_skipped_run
-- Record a run that did not take place, with its reason.
INSERT INTO sync_runs (id, resource, "trigger", requestedBy, dueAt, startedAt, endedAt,
                       outcome, reason, detail, epoch)
VALUES (:id, :resource, :trigger, :requestedBy, :dueAt, :now, :now,
        'skipped', :reason, :detail, :epoch)

-- name: run_exists
-- Whether an id of a run is taken.
SELECT 1 FROM sync_runs WHERE id = :id

-- name: end_run
-- Record how a working run ended.
UPDATE sync_runs
SET endedAt = :endedAt,
    outcome = :outcome,
    reason = :reason,
    detail = :detail,
    attempts = :attempts,
    summary = :summary,
    nextAttemptAt = NULL
WHERE id = :id AND outcome IS NULL

-- name: active_run
-- The run that is recorded as working.
SELECT id FROM sync_runs WHERE resource = :resource AND outcome IS NULL

-- name: orphaned_runs
-- Runs recorded as working on which this owner does not work.
SELECT id FROM sync_runs
WHERE resource = :resource AND outcome IS NULL AND id IS NOT :activeRunId

-- name: interrupt_sessions
-- The last sign of life is the end of a session whose owner is gone.
UPDATE sync_sessions
SET status = 'interrupted',
    completedAt = MAX(startedAt, COALESCE(heartbeatAt, startedAt)),
    errorCode = 'owner_lost',
    errorMessage = :message
WHERE syncType IN (:resource, :resource || '-dry')
  AND status = 'running'
  AND runId IS NOT :activeRunId

-- name: interrupt_runs
-- Close the runs whose owner is gone.
UPDATE sync_runs
SET outcome = 'interrupted',
    reason = 'owner_lost',
    detail = :message,
    endedAt = :now,
    nextAttemptAt = NULL,
    attempts = (SELECT COUNT(*) FROM sync_sessions WHERE runId = sync_runs.id)
WHERE resource = :resource AND outcome IS NULL AND id IS NOT :activeRunId

-- name: run
-- One run.
SELECT * FROM sync_runs WHERE resource = :resource AND id = :id

-- name: last_runs
-- The newest runs, in the order they were begun: the clock may have been set back since.
-- The + keeps SQLite from sorting all that an index by resource finds: it reads backwards.
SELECT * FROM sync_runs
WHERE +resource = :resource
  AND (:withSkipped OR outcome IS NOT 'skipped')
  AND (:withDry OR NOT isDryRun)
ORDER BY rowid DESC
LIMIT :limit

-- name: session
-- One session.
SELECT * FROM sync_sessions WHERE syncType IN (:syncType, :syncType || '-dry') AND id = :id

-- name: running_session
-- The session that is recorded as running, be it of a dry run.
SELECT * FROM sync_sessions
WHERE syncType IN (:syncType, :syncType || '-dry') AND status = 'running'

-- name: sessions_of_run
-- The attempts of a run.
SELECT * FROM sync_sessions WHERE runId = :runId ORDER BY startedAt, id

-- name: newest_sessions
-- The plan's history: the last sessions.
SELECT * FROM sync_sessions
WHERE syncType = :syncType
ORDER BY startedAt DESC, id DESC
LIMIT :limit

-- name: sessions_before
-- A page of history: sessions older than the cursor, of all statuses or of the usual one.
SELECT * FROM sync_sessions
WHERE syncType = :syncType
  AND (startedAt, id) < (:startedAt, :id)
  AND (:status IS NULL OR status = :status)
ORDER BY startedAt DESC, id DESC
LIMIT :limit

-- name: sessions_before_of_status
-- The same, of another status than completed: these have an index of their own.
SELECT * FROM sync_sessions
WHERE syncType = :syncType
  AND status = :status
  AND status <> 'completed'
  AND (startedAt, id) < (:startedAt, :id)
ORDER BY startedAt DESC, id DESC
LIMIT :limit

-- name: totals
-- All-time totals.
SELECT * FROM sync_totals WHERE syncType = :syncType

-- name: last_status
-- The status of the newest session.
SELECT status FROM sync_sessions
WHERE syncType = :syncType
ORDER BY startedAt DESC, id DESC
LIMIT 1

-- name: last_coverage
-- The coverage of the newest extract that was applied.
SELECT coverage FROM sync_sessions
WHERE syncType = :syncType AND status = 'completed' AND coverage IS NOT NULL
ORDER BY startedAt DESC, id DESC
LIMIT 1

-- name: last_changes_after
-- Where the changes of the last session that completed begin; a rollback is no sync.
SELECT CASE WHEN syncMode <> 'rollback' THEN changesAfter END AS changesAfter
FROM sync_sessions
WHERE +syncType = :syncType AND status = 'completed'
ORDER BY rowid DESC
LIMIT 1

-- name: past_efforts
-- How long the last whole readings took, and for how many rows; looks at the newest only.
SELECT completedAt - startedAt AS durationMs, itemsProcessed AS items
FROM (
  SELECT * FROM sync_sessions
  WHERE syncType = :syncType
  ORDER BY startedAt DESC, id DESC
  LIMIT 50
)
WHERE status = 'completed' AND syncMode <> 'rollback' AND NOT isShortcut
LIMIT 5

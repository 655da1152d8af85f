-- name: run_ids_before
-- A page of runs older than the cursor, without dry runs where they are not wanted.
SELECT id FROM sync_runs
WHERE resource = :resource
  AND (startedAt, id) < (:startedAt, :id)
  AND (:withDry OR NOT isDryRun)
ORDER BY startedAt DESC, id DESC
LIMIT :limit

-- name: run_ids_before_of_outcome
-- The same, of one outcome.
SELECT id FROM sync_runs
WHERE resource = :resource
  AND outcome = :outcome
  AND (startedAt, id) < (:startedAt, :id)
  AND (:withDry OR NOT isDryRun)
ORDER BY startedAt DESC, id DESC
LIMIT :limit

-- name: run_ids_before_of_trigger
-- The same, started by one trigger.
SELECT id FROM sync_runs
WHERE resource = :resource
  AND "trigger" = :trigger
  AND (startedAt, id) < (:startedAt, :id)
  AND (:withDry OR NOT isDryRun)
ORDER BY startedAt DESC, id DESC
LIMIT :limit

-- name: run_ids_before_of_both
-- The same, of one outcome and started by one trigger.
SELECT id FROM sync_runs
WHERE resource = :resource
  AND "trigger" = :trigger
  AND outcome = :outcome
  AND (startedAt, id) < (:startedAt, :id)
  AND (:withDry OR NOT isDryRun)
ORDER BY startedAt DESC, id DESC
LIMIT :limit

-- name: older_run
-- The run before another one.
SELECT id FROM sync_runs
WHERE resource = :resource AND (startedAt, id) < (:startedAt, :id)
ORDER BY startedAt DESC, id DESC
LIMIT 1

-- name: newer_run
-- The run after another one.
SELECT id FROM sync_runs
WHERE resource = :resource AND (startedAt, id) > (:startedAt, :id)
ORDER BY startedAt, id
LIMIT 1

-- name: good_session_before
-- The newest session before a moment that read everything and applied it; a rollback reads nothing.
SELECT id, runId, startedAt, completedAt, coverage,
       itemsProcessed, itemsCreated, itemsUpdated, itemsDeleted, itemsRestored,
       itemsRenamed, itemsUnchanged, itemsMissing, itemsRejected
FROM sync_sessions
WHERE syncType = :resource
  AND startedAt < :startedAt
  AND status = 'completed'
  AND syncMode <> 'rollback'
  AND coverage IS NOT NULL
ORDER BY startedAt DESC, id DESC
LIMIT 1

-- name: run_overviews
-- These runs without their summaries, each with the counts of its last session.
SELECT r.id, r."trigger", r.requestedBy, r.dueAt, r.startedAt, r.endedAt,
       r.endedAt - r.startedAt AS durationMs,
       r.outcome, r.reason, r.detail, r.latenessMs, r.isDryRun, r.approvedAt, r.approvedBy,
       MAX(r.attempts, COALESCE(s.attempt, 0)) AS attempts,
       r.maxAttempts, r.nextAttemptAt,
       s.itemsProcessed, s.itemsCreated, s.itemsUpdated, s.itemsDeleted, s.itemsRestored,
       s.itemsRenamed, s.itemsUnchanged, s.itemsMissing, s.itemsRejected,
       COALESCE(s.isShortcut, 0) AS isShortcut
FROM sync_runs AS r
LEFT JOIN sync_sessions AS s ON s.id = (
  SELECT id FROM sync_sessions WHERE runId = r.id ORDER BY startedAt DESC, id DESC LIMIT 1
)
WHERE r.id IN (SELECT value FROM json_each(:ids))

-- name: sessions_of_runs
-- The attempts of these runs.
SELECT runId, id, attempt, status, startedAt, completedAt, errorCode, errorMessage, stageMs
FROM sync_sessions
WHERE runId IN (SELECT value FROM json_each(:ids))

-- name: change_days
-- What changed a day, from a day on.
SELECT day, created, updated, deleted, restored, renamed FROM sync_days
WHERE syncType = :syncType AND day >= :day
ORDER BY day

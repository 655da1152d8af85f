-- name: insert_line
-- Keep a line of a run; one that was kept before stays as it is.
INSERT INTO run_lines (runId, number, loggedAt, level, component, message, fields)
VALUES (:runId, :number, :loggedAt, :level, :component, :message, :fields)
ON CONFLICT DO NOTHING

-- name: forget_lines
-- Drop what lies between the first lines of a run and its last.
DELETE FROM run_lines WHERE runId = :runId AND number > :after AND number <= :upTo

-- name: run_exists
-- Whether there is a run of this resource.
SELECT 1 FROM sync_runs WHERE id = :runId AND resource = :resource

-- name: lines_after
-- The lines of a run after a number, in their order.
SELECT number, loggedAt, level, component, message, fields FROM run_lines
WHERE runId = :runId AND number > :after
ORDER BY number
LIMIT :limit

-- name: extent
-- How many lines of a run are kept, and how many were logged.
SELECT COUNT(*) AS kept, COALESCE(MAX(number), 0) AS logged FROM run_lines WHERE runId = :runId

-- name: of
-- The failures of one subject that still count.
SELECT failures, blockedUntil FROM login_throttle
WHERE kind = :kind AND subject = :subject AND lastAt >= :since

-- name: record
-- Keep the failures of one subject.
INSERT INTO login_throttle (kind, subject, failures, blockedUntil, lastAt)
VALUES (:kind, :subject, :failures, :blockedUntil, :now)
ON CONFLICT DO UPDATE
SET failures = :failures, blockedUntil = :blockedUntil, lastAt = :now

-- name: clear
-- Forget the failures of one subject.
DELETE FROM login_throttle WHERE kind = :kind AND subject = :subject

-- name: prune
-- Forget what no longer counts.
DELETE FROM login_throttle WHERE lastAt < :since

-- name: count
-- How many subjects there are.
SELECT COUNT(*) FROM login_throttle

-- name: shrink
-- Forget the subjects that failed the least and the longest ago.
DELETE FROM login_throttle
WHERE (kind, subject) IN (
  SELECT kind, subject FROM login_throttle ORDER BY failures, lastAt LIMIT :surplus)

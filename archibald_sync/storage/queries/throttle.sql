-- name: of
-- What still counts against one subject.
SELECT failures, blockedUntil, underWay, underWayUntil FROM login_throttle
WHERE kind = :kind AND subject = :subject AND lastAt >= :since

-- name: begin
-- One more login of a subject is under way; those before no longer are where their time is over.
INSERT INTO login_throttle (kind, subject, failures, blockedUntil, lastAt, underWay, underWayUntil)
VALUES (:kind, :subject, 0, 0, :now, 1, :until)
ON CONFLICT DO UPDATE
SET underWay = :underWay + 1, underWayUntil = :until

-- name: fail
-- A login of a subject has failed, which is no longer under way.
INSERT INTO login_throttle (kind, subject, failures, blockedUntil, lastAt)
VALUES (:kind, :subject, :failures, :blockedUntil, :now)
ON CONFLICT DO UPDATE
SET failures = :failures, blockedUntil = :blockedUntil, lastAt = :now,
  underWay = MAX(underWay - 1, 0)

-- name: end
-- A login of a subject is no longer under way.
UPDATE login_throttle SET underWay = MAX(underWay - 1, 0) WHERE kind = :kind AND subject = :subject

-- name: clear
-- Forget the failures of one subject.
UPDATE login_throttle SET failures = 0, blockedUntil = 0 WHERE kind = :kind AND subject = :subject

-- name: forget_blameless
-- Forget a subject that nothing is counted of.
DELETE FROM login_throttle
WHERE kind = :kind AND subject = :subject AND failures = 0 AND underWay = 0

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

-- name: append
-- Write an act down.
INSERT INTO audit_log (
  at, actor, actorKind, action, target, outcome, detail, address, network, requestId)
VALUES (
  :at, :actor, :actorKind, :action, :target, :outcome, :detail, :address, :network, :requestId)

-- name: has_recent
-- Whether the same refusal of the same caller stands there since an instant, or so many others.
SELECT COUNT(*) >= :most OR COALESCE(MAX(target IS :target AND detail IS :detail), 0)
FROM audit_log
WHERE outcome = 'refused' AND action = :action AND network IS :network AND at >= :since
  AND actor IS :actor

-- name: entries
-- A page of the log, the newest first.
SELECT * FROM audit_log
WHERE id < :beforeId
  AND (:actor IS NULL OR actor = :actor)
  AND (:action IS NULL OR action = :action)
  AND (:target IS NULL OR target = :target)
  AND (:outcome IS NULL OR outcome = :outcome)
  AND (:since IS NULL OR at >= :since)
  AND (:until IS NULL OR at < :until)
  AND (:hasRenewals OR action <> 'auth.refresh' OR outcome <> 'done')
ORDER BY id DESC
LIMIT :limit

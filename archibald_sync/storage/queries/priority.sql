-- name: insert
-- Take a lease.
INSERT INTO priority_leases (
  id, owner, reason, takenAt, bootId, expiresBootMs, expiresAt, idempotencyKey, askedTtlMs)
VALUES (
  :id, :owner, :reason, :takenAt, :bootId, :expiresBootMs, :expiresAt, :idempotencyKey, :askedTtlMs)

-- name: by_key
-- The lease that was taken under an idempotency key.
SELECT * FROM priority_leases WHERE idempotencyKey = :idempotencyKey

-- name: renew
-- Prolong a lease that is still in force.
UPDATE priority_leases
SET expiresBootMs = :expiresBootMs,
    expiresAt = :expiresAt
WHERE id = :id AND bootId = :bootId AND expiresBootMs > :bootMs

-- name: release
-- End a lease.
DELETE FROM priority_leases WHERE id = :id AND bootId = :bootId AND expiresBootMs > :bootMs

-- name: prune
-- Forget leases that ran out.
DELETE FROM priority_leases WHERE bootId <> :bootId OR expiresBootMs <= :bootMs

-- name: held
-- The leases in force.
SELECT * FROM priority_leases
WHERE bootId = :bootId AND expiresBootMs > :bootMs
ORDER BY takenAt, id

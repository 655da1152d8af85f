-- name: state
-- What the schedule is meant to be.
SELECT * FROM scheduler_state WHERE resource = :resource

-- name: put_state
-- Change what the schedule is meant to be.
INSERT INTO scheduler_state (resource, desired, intervalMinutes, nextDueAt, changedAt, changedBy)
VALUES (:resource, :desired, :intervalMinutes, :nextDueAt, :changedAt, :changedBy)
ON CONFLICT (resource) DO UPDATE
SET desired = excluded.desired,
    intervalMinutes = excluded.intervalMinutes,
    nextDueAt = excluded.nextDueAt,
    changedAt = excluded.changedAt,
    changedBy = excluded.changedBy

-- name: set_next_due
-- Move the next due time of a started schedule.
UPDATE scheduler_state
SET nextDueAt = :nextDueAt
WHERE resource = :resource AND desired = 'started'

-- name: insert_intent
-- Record what somebody asks of the owner.
INSERT INTO intents (resource, kind, parameters, requestedBy, requestedAt, expiresAt, idempotencyKey)
VALUES (:resource, :kind, :parameters, :requestedBy, :requestedAt, :expiresAt, :idempotencyKey)
ON CONFLICT DO NOTHING
RETURNING id

-- name: intent_by_key
-- The intent that was recorded under an idempotency key.
SELECT * FROM intents WHERE resource = :resource AND idempotencyKey = :idempotencyKey

-- name: intent
-- One intent.
SELECT * FROM intents WHERE resource = :resource AND id = :id

-- name: pending_intents
-- What nobody has carried out yet.
SELECT * FROM intents WHERE resource = :resource AND state = 'pending' ORDER BY id

-- name: answer_intent
-- Record what became of a pending intent.
UPDATE intents
SET state = :state, result = :result, answeredAt = :now, epoch = :epoch
WHERE resource = :resource AND id = :id AND state = 'pending'

-- name: prune_intents
-- Forget old answers.
DELETE FROM intents WHERE resource = :resource AND state <> 'pending' AND answeredAt < :before

-- name: lease
-- Who owns a resource.
SELECT * FROM owner_lease WHERE name = :name

-- name: put_lease
-- Take a lease under a new epoch.
INSERT INTO owner_lease (name, epoch, owner, pid, bootId, expiresBootMs, hasFlock, acquiredAt, renewedAt)
VALUES (:name, :epoch, :owner, :pid, :bootId, :expiresBootMs, :hasFlock, :now, :now)
ON CONFLICT (name) DO UPDATE
SET epoch = excluded.epoch,
    owner = excluded.owner,
    pid = excluded.pid,
    bootId = excluded.bootId,
    expiresBootMs = excluded.expiresBootMs,
    hasFlock = excluded.hasFlock,
    acquiredAt = excluded.acquiredAt,
    renewedAt = excluded.renewedAt

-- name: renew_lease
-- Prolong a lease that is still held under the epoch.
UPDATE owner_lease
SET expiresBootMs = :expiresBootMs,
    hasFlock = COALESCE(:hasFlock, hasFlock),
    renewedAt = :now
WHERE name = :name AND epoch = :epoch

-- name: release_lease
-- Let a lease expire at once.
UPDATE owner_lease
SET expiresBootMs = 0, hasFlock = 0
WHERE name = :name AND epoch = :epoch

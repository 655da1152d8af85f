-- name: insert
-- Add a key.
INSERT INTO api_keys (name, prefix, digest, role, userId, createdAt, expiresAt)
VALUES (:name, :prefix, :digest, :role, :userId, :createdAt, :expiresAt)
ON CONFLICT DO NOTHING
RETURNING *

-- name: by_digest
-- The key whose secret has a digest.
SELECT * FROM api_keys WHERE digest = :digest

-- name: by_id
-- The key with an id.
SELECT * FROM api_keys WHERE id = :id

-- name: all
-- All keys, the newest first.
SELECT * FROM api_keys ORDER BY id DESC

-- name: touch
-- Record that a key was used.
UPDATE api_keys SET lastUsedAt = :at WHERE id = :id

-- name: revoke
-- End a key.
UPDATE api_keys SET revokedAt = :at WHERE id = :id AND revokedAt IS NULL

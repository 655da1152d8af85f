-- name: insert_user
-- Add a user.
INSERT INTO users (name, passwordHash, role, createdAt)
VALUES (:name, :passwordHash, :role, :createdAt)
ON CONFLICT DO NOTHING
RETURNING *

-- name: user_by_name
-- The user of a name, whatever its case.
SELECT * FROM users WHERE name = :name

-- name: user_by_id
-- The user with an id.
SELECT * FROM users WHERE id = :id

-- name: users
-- All users.
SELECT * FROM users ORDER BY name

-- name: set_password_hash
-- Replace a password hash.
UPDATE users SET passwordHash = :passwordHash WHERE id = :id

-- name: disable_user
-- Disable a user.
UPDATE users SET disabledAt = COALESCE(disabledAt, :now) WHERE id = :id

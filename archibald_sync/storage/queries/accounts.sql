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

-- name: rehash
-- Hash the same password anew, unless it has been changed meanwhile.
UPDATE users SET passwordHash = :newHash WHERE id = :id AND passwordHash = :oldHash

-- name: set_password_hash
-- Give a user another password, and end its tokens.
UPDATE users
SET passwordHash = :passwordHash, tokenGeneration = tokenGeneration + 1
WHERE id = :id

-- name: change_password_hash
-- Give a user another password and end its tokens, unless somebody else has ended them meanwhile.
UPDATE users
SET passwordHash = :newHash, tokenGeneration = tokenGeneration + 1
WHERE id = :id AND tokenGeneration = :generation AND disabledAt IS NULL

-- name: set_role
-- Give a user another role and end its tokens, unless it is the last enabled admin.
UPDATE users
SET role = :role, tokenGeneration = tokenGeneration + 1
WHERE id = :id
  AND (:role = 'admin' OR role <> 'admin' OR disabledAt IS NOT NULL OR EXISTS (
    SELECT 1 FROM users WHERE id <> :id AND role = 'admin' AND disabledAt IS NULL))

-- name: disable_user
-- Disable a user and end its tokens, unless it is the last enabled admin.
UPDATE users
SET disabledAt = COALESCE(disabledAt, :now), tokenGeneration = tokenGeneration + 1
WHERE id = :id
  AND (role <> 'admin' OR disabledAt IS NOT NULL OR EXISTS (
    SELECT 1 FROM users WHERE id <> :id AND role = 'admin' AND disabledAt IS NULL))

-- name: enable_user
-- Let a disabled user in again; its old tokens stay ended.
UPDATE users SET disabledAt = NULL, tokenGeneration = tokenGeneration + 1 WHERE id = :id

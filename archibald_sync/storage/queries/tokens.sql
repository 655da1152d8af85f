-- name: begin
-- Record a login.
INSERT INTO token_families (id, userId, currentTokenId, createdAt, expiresAt)
VALUES (:id, :userId, :tokenId, :now, :expiresAt)

-- name: keep_last_login
-- Remember when a user logged in.
INSERT INTO last_logins (userId, at)
VALUES (:userId, :now)
ON CONFLICT (userId) DO UPDATE SET at = excluded.at

-- name: last_logins
-- When each user logged in for the last time.
SELECT userId, at FROM last_logins

-- name: rotate
-- Put a new refresh token in the place of the one in force.
UPDATE token_families
SET currentTokenId = :newId, expiresAt = :expiresAt
WHERE id = :id AND currentTokenId = :oldId AND revokedAt IS NULL

-- name: began_at
-- When a login was that is not over.
SELECT createdAt FROM token_families WHERE id = :id AND revokedAt IS NULL

-- name: revoke_family
-- End a login with all its tokens.
UPDATE token_families SET revokedAt = :now WHERE id = :id AND revokedAt IS NULL

-- name: revoke_token
-- End one access token.
INSERT INTO revoked_tokens (tokenId, expiresAt)
VALUES (:tokenId, :expiresAt)
ON CONFLICT DO NOTHING

-- name: is_live
-- Whether neither a token nor its login has been ended.
SELECT NOT EXISTS (SELECT 1 FROM revoked_tokens WHERE tokenId = :tokenId)
   AND (:family IS NULL
     OR EXISTS (SELECT 1 FROM token_families WHERE id = :family AND revokedAt IS NULL))

-- name: prune_families
-- Forget logins whose tokens have all expired.
DELETE FROM token_families WHERE expiresAt < :before

-- name: prune_tokens
-- Forget ended tokens that have expired by themselves.
DELETE FROM revoked_tokens WHERE expiresAt < :before

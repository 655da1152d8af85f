-- Who got in, with what, and what they did. A file of its own, which no sync writes to:
-- a request of an order never waits for the commit of a sync.

-- A login and the refresh token in force that follows from it. Users are in the main database.
CREATE TABLE token_families (
  id TEXT PRIMARY KEY,
  userId INTEGER NOT NULL,
  currentTokenId TEXT NOT NULL,
  createdAt INTEGER NOT NULL,
  expiresAt INTEGER NOT NULL,
  revokedAt INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX idx_token_families_expires ON token_families(expiresAt);

-- Access tokens that belong to no login and were ended before their time.
CREATE TABLE revoked_tokens (
  tokenId TEXT PRIMARY KEY,
  expiresAt INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX idx_revoked_tokens_expires ON revoked_tokens(expiresAt);

CREATE TABLE api_keys (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL COLLATE NOCASE,
  prefix TEXT NOT NULL,
  digest BLOB NOT NULL UNIQUE,
  role TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
  userId INTEGER NOT NULL,
  createdAt INTEGER NOT NULL,
  expiresAt INTEGER,
  lastUsedAt INTEGER,
  revokedAt INTEGER
) STRICT;

CREATE UNIQUE INDEX idx_api_keys_name ON api_keys(name) WHERE revokedAt IS NULL;

CREATE TABLE login_throttle (
  kind TEXT NOT NULL CHECK (kind IN ('account', 'address')),
  subject TEXT NOT NULL,
  failures INTEGER NOT NULL,
  blockedUntil INTEGER NOT NULL,
  lastAt INTEGER NOT NULL,
  PRIMARY KEY (kind, subject)
) STRICT, WITHOUT ROWID;

CREATE INDEX idx_login_throttle_last ON login_throttle(lastAt);

CREATE TABLE audit_log (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at INTEGER NOT NULL,
  actor TEXT,
  actorKind TEXT,
  action TEXT NOT NULL,
  target TEXT,
  outcome TEXT NOT NULL CHECK (outcome IN ('done', 'refused', 'failed')),
  detail TEXT,
  address TEXT,
  requestId TEXT
) STRICT;

CREATE INDEX idx_audit_log_refused ON audit_log(action, at) WHERE outcome = 'refused';

CREATE TRIGGER audit_log_no_update BEFORE UPDATE ON audit_log
BEGIN
  SELECT RAISE(ABORT, 'the audit log can only grow');
END;

CREATE TRIGGER audit_log_no_delete BEFORE DELETE ON audit_log
BEGIN
  SELECT RAISE(ABORT, 'the audit log can only grow');
END;

-- INSERT OR REPLACE deletes without a delete trigger.
CREATE TRIGGER audit_log_no_replace BEFORE INSERT ON audit_log
WHEN EXISTS (SELECT 1 FROM audit_log WHERE id = NEW.id)
BEGIN
  SELECT RAISE(ABORT, 'the audit log can only grow');
END;

-- Kept in a file of its own, so that taking a lease never queues behind a sync's commit.
CREATE TABLE priority_leases (
  id TEXT PRIMARY KEY,
  owner TEXT NOT NULL,
  reason TEXT NOT NULL,
  takenAt INTEGER NOT NULL,
  bootId TEXT NOT NULL,
  expiresBootMs INTEGER NOT NULL
) STRICT;

-- When a lease ends in wall time, as it was told to whoever took or renewed it: worked out anew
-- from two clocks it would differ by a millisecond. Null for leases of an earlier version.
ALTER TABLE priority_leases ADD COLUMN expiresAt INTEGER;

-- A client that lost the answer asks again, and must not hold two leases then.
ALTER TABLE priority_leases ADD COLUMN idempotencyKey TEXT;
CREATE UNIQUE INDEX idx_priority_leases_key ON priority_leases(idempotencyKey) WHERE idempotencyKey IS NOT NULL;

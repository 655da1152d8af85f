-- Who asks again under the same key must ask for the same; empty in leases of before.
ALTER TABLE priority_leases ADD COLUMN askedTtlMs INTEGER;

-- A refusal is written down once a minute for each network, and is found by it.
ALTER TABLE audit_log ADD COLUMN network TEXT;

DROP INDEX idx_audit_log_refused;
CREATE INDEX idx_audit_log_refused ON audit_log(action, network, at) WHERE outcome = 'refused';

-- How many passwords are being looked at right now, and until when that counts: whoever was to
-- say how it ended may have died.
ALTER TABLE login_throttle ADD COLUMN underWay INTEGER NOT NULL DEFAULT 0;
ALTER TABLE login_throttle ADD COLUMN underWayUntil INTEGER NOT NULL DEFAULT 0;

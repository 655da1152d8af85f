-- The id after which the first change ever was logged. Where the first that is still there
-- follows it, the log is whole; ids of this version begin with the time, not with 1.
ALTER TABLE catalogue_state ADD COLUMN firstChangesAfter INTEGER NOT NULL DEFAULT 0;

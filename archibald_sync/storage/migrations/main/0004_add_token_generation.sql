-- Tokens carry the generation of their user; one that is raised ends them all at once.
ALTER TABLE users ADD COLUMN tokenGeneration INTEGER NOT NULL DEFAULT 0;

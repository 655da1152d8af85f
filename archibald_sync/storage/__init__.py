"""SQLite, and nothing else knows about it: connections, schema, and a store a table family."""

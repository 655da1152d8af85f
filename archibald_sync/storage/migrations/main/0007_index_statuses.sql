-- Sessions of one status, the newest first. Most are completed, and found without it.
CREATE INDEX idx_sync_sessions_status ON sync_sessions(syncType, status, startedAt DESC, id DESC) WHERE status <> 'completed';

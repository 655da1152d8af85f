-- When each user logged in for the last time: logins themselves are forgotten once over.
CREATE TABLE last_logins (
  userId INTEGER PRIMARY KEY,
  at INTEGER NOT NULL
) STRICT;

INSERT INTO last_logins (userId, at)
SELECT userId, MAX(createdAt) FROM token_families GROUP BY userId;

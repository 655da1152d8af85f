-- How far the words of each resource follow its change log. The index itself is made from
-- the resource's declaration; 0 means that it begins with the first change.
CREATE TABLE search_state (
  resource TEXT PRIMARY KEY,
  changeId INTEGER NOT NULL
) STRICT;

-- Runs that were posted as batches. A batch is accepted with what it will play before its run begins, so
-- that a kill between the acceptance and the answer loses nothing. `id` is the run's uuid, `digest` of
-- what was posted, `cases` the ids of the scenarios in the order of the body, `figures` what it came to.
CREATE TABLE batches (
    number      INTEGER PRIMARY KEY AUTOINCREMENT,
    id          TEXT NOT NULL UNIQUE,
    run         TEXT NOT NULL UNIQUE,
    idempotency TEXT UNIQUE,
    digest      TEXT NOT NULL,
    body        BLOB NOT NULL,
    plan        BLOB NOT NULL,
    cases       BLOB NOT NULL,
    trials      INTEGER NOT NULL,
    prompt      TEXT,
    state       TEXT NOT NULL,
    outcome     TEXT,
    error       TEXT,
    created     INTEGER NOT NULL,
    started     INTEGER,
    ended       INTEGER,
    cancelled   INTEGER,
    figures     BLOB
) STRICT;
CREATE INDEX batches_by_state ON batches (state);

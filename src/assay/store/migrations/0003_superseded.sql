-- Trials that gave way to a further attempt (--retry-failed), as they were when they did: what was
-- recorded stays on record. Their scores keep their ids, their calls are the run's as before.
CREATE TABLE superseded (
    id         INTEGER PRIMARY KEY,
    run        INTEGER NOT NULL,
    key        TEXT NOT NULL,
    case_hash  BLOB NOT NULL,
    model      TEXT NOT NULL,
    repeat     INTEGER NOT NULL,
    seed       INTEGER NOT NULL,
    status     TEXT NOT NULL,
    detail     TEXT NOT NULL,
    phase      TEXT NOT NULL,
    due        REAL NOT NULL,
    started    REAL NOT NULL,
    ended      REAL NOT NULL,
    wall       INTEGER NOT NULL,
    messages   BLOB NOT NULL,
    transcript BLOB NOT NULL,
    final      INTEGER
) STRICT;
CREATE INDEX superseded_by_run ON superseded (run);

CREATE TRIGGER trials_give_way BEFORE INSERT ON trials
BEGIN
    INSERT INTO superseded SELECT * FROM trials WHERE key = NEW.key AND run = NEW.run;
END;

-- The first schema. Instants named wall, began, opened, since, beat and ended are wall-clock ns since
-- the epoch. A row of calls, trials, scores and effects has an id of (session << 40) + a count, so
-- that the order of ids is the order of recording and no process waits for an id.

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- One row for each process that ever wrote here.
CREATE TABLE sessions (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    pid    INTEGER NOT NULL,
    host   TEXT NOT NULL,
    opened INTEGER NOT NULL
) STRICT;

CREATE TABLE runs (
    number      INTEGER PRIMARY KEY AUTOINCREMENT,
    id          TEXT NOT NULL UNIQUE,
    uuid        TEXT NOT NULL UNIQUE,
    task        TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    headline    TEXT NOT NULL,
    plan        BLOB NOT NULL,
    models      BLOB NOT NULL,
    planned     INTEGER,
    seed        INTEGER NOT NULL,
    wall        INTEGER NOT NULL,
    version     TEXT NOT NULL,
    state       TEXT NOT NULL,
    stop        TEXT,
    ended       INTEGER
) STRICT;

-- Who writes a run now. The session is a fencing number: a writer that lost its row writes no more.
CREATE TABLE heartbeats (
    run     INTEGER PRIMARY KEY,
    session INTEGER NOT NULL,
    pid     INTEGER NOT NULL,
    host    TEXT NOT NULL,
    since   INTEGER NOT NULL,
    beat    INTEGER NOT NULL
) STRICT;

-- Messages, tools and schemas by the first 16 bytes of SHA-256 over their MessagePack form.
CREATE TABLE bodies (
    hash BLOB PRIMARY KEY,
    body BLOB NOT NULL
) STRICT;

CREATE TABLE cases (
    hash BLOB PRIMARY KEY,
    id   TEXT NOT NULL,
    name TEXT NOT NULL,
    body BLOB NOT NULL
) STRICT;

-- The intent: committed before the first byte of the request leaves. `messages` is the hashes of
-- the request's messages one after another, 16 bytes each.
CREATE TABLE calls (
    id           INTEGER PRIMARY KEY,
    run          INTEGER NOT NULL,
    trial        TEXT NOT NULL,
    role         TEXT NOT NULL,
    ordinal      INTEGER NOT NULL,
    attempt      INTEGER NOT NULL,
    model        TEXT NOT NULL,
    request_hash TEXT NOT NULL,
    occurrence   INTEGER NOT NULL,
    began        INTEGER NOT NULL,
    origin       TEXT NOT NULL,
    messages     BLOB NOT NULL,
    tools        BLOB,
    schema       BLOB,
    request      BLOB NOT NULL,
    UNIQUE (trial, run, role, ordinal, attempt)
) STRICT;
CREATE INDEX calls_by_run ON calls (run);

-- How an attempt ended, once; a call without one was in flight at a kill. `said` is the hash of the
-- reply as a message, `cost` dollars in decimal notation, `reply` the rest.
CREATE TABLE settlements (
    call      INTEGER PRIMARY KEY,
    state     TEXT NOT NULL,
    error     TEXT,
    status    INTEGER,
    input     INTEGER,
    output    INTEGER,
    cached    INTEGER,
    reasoning INTEGER,
    source    TEXT,
    cost      TEXT,
    paused    INTEGER NOT NULL,
    said      BLOB,
    arrivals  BLOB,
    reply     BLOB NOT NULL
) STRICT;

CREATE TABLE effects (
    id      INTEGER PRIMARY KEY,
    run     INTEGER NOT NULL,
    trial   TEXT NOT NULL,
    name    TEXT NOT NULL,
    key     TEXT NOT NULL,
    settled INTEGER NOT NULL DEFAULT 0,
    outcome BLOB,
    UNIQUE (trial, run, name, key)
) STRICT;

-- `messages` as in calls: those of the transcript; `final` the call that brought the final answer.
CREATE TABLE trials (
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
    final      INTEGER,
    UNIQUE (key, run)
) STRICT;
CREATE INDEX trials_by_run ON trials (run);

-- Every score ever given; of one name the newest counts. `number` is for people who read the file
-- with SQL, `score` is the whole score.
CREATE TABLE scores (
    id       INTEGER PRIMARY KEY,
    trial    INTEGER NOT NULL,
    name     TEXT NOT NULL,
    scorer   TEXT NOT NULL,
    number   REAL,
    unscored TEXT,
    score    BLOB NOT NULL
) STRICT;
CREATE INDEX scores_by_trial ON scores (trial);

-- What people said of a trial.
CREATE TABLE labels (
    id    INTEGER PRIMARY KEY,
    run   INTEGER NOT NULL,
    trial TEXT NOT NULL,
    name  TEXT NOT NULL,
    value ANY,
    rater TEXT NOT NULL,
    note  TEXT NOT NULL,
    wall  INTEGER NOT NULL
) STRICT;
CREATE INDEX labels_by_trial ON labels (trial, run);

CREATE TABLE price_versions (
    digest TEXT PRIMARY KEY,
    date   TEXT NOT NULL,
    source TEXT NOT NULL,
    body   BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Slices of a run's budget lent to its workers, dollars in decimal notation.
CREATE TABLE reservations (
    id      INTEGER PRIMARY KEY,
    run     INTEGER NOT NULL,
    session INTEGER NOT NULL,
    amount  TEXT NOT NULL,
    wall    INTEGER NOT NULL
) STRICT;
CREATE INDEX reservations_by_run ON reservations (run);

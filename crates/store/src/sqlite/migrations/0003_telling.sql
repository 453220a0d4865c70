-- The trace that a signup came with, 25 bytes; none for most.
ALTER TABLE onboarding ADD COLUMN trace BLOB;

-- When it was accepted in the file's time (ms), which nobody sets; created_at is for people.
ALTER TABLE onboarding ADD COLUMN accepted_at INTEGER NOT NULL DEFAULT 0;

-- Finished onboardings that are checked once more, from then on (ms), and when they ended (ms): in
-- the file's time.
CREATE TABLE late_check (
    seq      INTEGER PRIMARY KEY REFERENCES onboarding (seq),
    due_at   INTEGER NOT NULL,
    ended_at INTEGER NOT NULL
);

CREATE INDEX late_check_due ON late_check (due_at);

-- What happened, in its order. The newest row is never removed, so that no number is given twice.
CREATE TABLE happening (
    position INTEGER PRIMARY KEY,
    at       INTEGER NOT NULL,
    -- The state that an onboarding moved to, as in progress; 16 an account was parked, 17 it goes on;
    -- 18 a message was refused.
    what     INTEGER NOT NULL,
    -- The onboarding's seq, or the account's lane.
    subject  INTEGER NOT NULL,
    -- Why an account was parked; which message was refused.
    reason   TEXT
);

-- A batch that said where it came from. Its onboardings are those from first_seq to last_seq: they
-- were accepted in one go. What of them has ended is counted as it happens, so that a list of
-- batches does not read their onboardings.
CREATE TABLE batch (
    first_seq  INTEGER PRIMARY KEY,
    last_seq   INTEGER NOT NULL,
    source     TEXT NOT NULL,
    duplicates INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    succeeded  INTEGER NOT NULL DEFAULT 0,
    failed     INTEGER NOT NULL DEFAULT 0,
    cancelled  INTEGER NOT NULL DEFAULT 0
);

-- What others are to be told. How far the feed was laid out is in meta, under 'laid_out'.
CREATE TABLE delivery (
    -- Order of laying out.
    seq             INTEGER PRIMARY KEY,
    id              TEXT NOT NULL UNIQUE,
    endpoint        TEXT NOT NULL,
    event           TEXT NOT NULL,
    -- None where it is about a refused message.
    onboarding      BLOB,
    payload         TEXT NOT NULL,
    -- 0 waiting, 1 delivered, 2 given up.
    state           INTEGER NOT NULL DEFAULT 0,
    attempts        INTEGER NOT NULL DEFAULT 0,
    attempts_before INTEGER NOT NULL DEFAULT 0,
    created_at      INTEGER NOT NULL,
    since           INTEGER NOT NULL,
    -- Not to be taken before then (ms), while it waits.
    next_at         INTEGER,
    -- What came of the last attempt that ended, and when.
    last_status     INTEGER,
    last_error      TEXT,
    last_ms         INTEGER,
    last_at         INTEGER
);

CREATE INDEX delivery_due ON delivery (next_at) WHERE state = 0;
CREATE INDEX delivery_ended ON delivery (last_at) WHERE state <> 0;
CREATE INDEX delivery_of_state ON delivery (state, seq);
CREATE INDEX delivery_to ON delivery (endpoint, state, seq);
CREATE INDEX delivery_about ON delivery (onboarding, seq);

-- What was asked under a key, and what was answered.
CREATE TABLE answer (
    n          INTEGER PRIMARY KEY,
    scope      TEXT NOT NULL,
    key        TEXT NOT NULL,
    digest     BLOB NOT NULL,
    expires_at INTEGER NOT NULL,
    answer     BLOB,
    UNIQUE (scope, key)
);

CREATE INDEX answer_expires ON answer (expires_at);

-- Why and since when Exotel does not answer; an account that is parked has none.
ALTER TABLE lane ADD COLUMN outage_reason TEXT;
ALTER TABLE lane ADD COLUMN outage_at INTEGER;
-- How a stopped account is tried again: 0 not at all, 1 by a read, 2 by an onboarding's
-- create_trunk; when next (ms); how often in a row that failed.
ALTER TABLE lane ADD COLUMN probe_kind INTEGER NOT NULL DEFAULT 0;
ALTER TABLE lane ADD COLUMN probe_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE lane ADD COLUMN probe_failures INTEGER NOT NULL DEFAULT 0;

-- The file's time and the time of day at the same moment (ms), and what the first is ahead of the
-- steady clock of a boot. One row.
CREATE TABLE timeline (
    boot      TEXT NOT NULL,
    offset_ms INTEGER NOT NULL,
    at_ms     INTEGER NOT NULL,
    wall_ms   INTEGER NOT NULL
);

-- By what a file is known that was put in place of this one: a counter that grows with a worker's
-- writes and is kept beside the file too; the inode of the file and when it was made (ns). One row.
CREATE TABLE work_mark (
    counter INTEGER NOT NULL,
    inode   INTEGER NOT NULL,
    born    INTEGER NOT NULL
);
INSERT INTO work_mark (counter, inode, born) VALUES (0, 0, 0);

-- Of the permits that are out, how many are of requests in flight outside of any onboarding.
ALTER TABLE permit ADD COLUMN outside INTEGER NOT NULL DEFAULT 0;

-- Which onboarding has a number: one in all, whatever its account, because a number is mapped once in
-- all of Exotel. The number is its digits. One that is cancelled has none.
CREATE TABLE number_holder (
    number INTEGER PRIMARY KEY,
    seq    INTEGER NOT NULL
);

-- Authentic webhooks that were refused for their content.
CREATE TABLE refused (
    -- Order in which they came first.
    n        INTEGER PRIMARY KEY AUTOINCREMENT,
    id       BLOB NOT NULL UNIQUE,
    sender   TEXT NOT NULL,
    message  TEXT NOT NULL,
    status   INTEGER NOT NULL,
    problems TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 1,
    first_at INTEGER NOT NULL,
    last_at  INTEGER NOT NULL
);

CREATE INDEX refused_of ON refused (sender, n);

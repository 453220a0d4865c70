-- Facts about the file: its world, a check of its secret key, the change counter.
CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

-- Counts changes that a worker in another process has to hear of.
CREATE TABLE change (n INTEGER NOT NULL);
INSERT INTO change (n) VALUES (0);

-- One row per account: the lane of its waiting onboardings.
CREATE TABLE lane (
    id                  INTEGER PRIMARY KEY,
    account             TEXT NOT NULL UNIQUE,
    requests_per_window INTEGER,
    window_ms           INTEGER,
    in_flight           INTEGER,
    burst               INTEGER,
    parked_reason       TEXT,
    parked_at           INTEGER,
    closed_until        INTEGER NOT NULL DEFAULT 0,
    -- The change counter when something about this lane last changed.
    changed             INTEGER NOT NULL DEFAULT 0
);

-- Permits that are out: how many come back at which time (ms). Counted, not listed, so that a
-- busy account costs a few rows a second.
CREATE TABLE permit (
    lane    INTEGER NOT NULL REFERENCES lane (id),
    free_at INTEGER NOT NULL,
    n       INTEGER NOT NULL,
    PRIMARY KEY (lane, free_at)
) WITHOUT ROWID;

CREATE TABLE recipe (
    digest TEXT PRIMARY KEY,
    json   TEXT NOT NULL
) WITHOUT ROWID;

-- What was accepted. Written once.
CREATE TABLE onboarding (
    -- Order of acceptance.
    seq        INTEGER PRIMARY KEY,
    id         BLOB NOT NULL UNIQUE,
    key        TEXT NOT NULL,
    lane       INTEGER NOT NULL REFERENCES lane (id),
    partner    TEXT NOT NULL,
    number     TEXT NOT NULL,
    -- 0 outbound, 1 inbound, 2 both.
    direction  INTEGER NOT NULL,
    signup     TEXT NOT NULL,
    recipe     TEXT NOT NULL REFERENCES recipe (digest),
    plan       TEXT NOT NULL,
    -- A trunk name that a person chose; derived names cannot collide.
    trunk_name TEXT,
    -- Sealed.
    password   BLOB,
    created_at INTEGER NOT NULL
);

CREATE UNIQUE INDEX onboarding_trunk_name ON onboarding (lane, trunk_name)
    WHERE trunk_name IS NOT NULL;

-- What happens to it. Apart from what was accepted, so that a step's write is a short row: a page
-- holds many of them, and fewer pages go to disk.
CREATE TABLE progress (
    seq        INTEGER PRIMARY KEY REFERENCES onboarding (seq),
    lane       INTEGER NOT NULL,
    -- 0 queued, 1 running, 2 succeeded, 3 failed, 5 cancelled; blocked is queued on a parked lane.
    state      INTEGER NOT NULL DEFAULT 0,
    epoch      INTEGER NOT NULL DEFAULT 0,
    -- Not to be claimed before then (ms).
    wake_at    INTEGER,
    -- Its last holder vanished, or a person asked for a retry: read back before repeating.
    suspect    INTEGER NOT NULL DEFAULT 0,
    -- A person cancelled it while a worker held it.
    cancel     INTEGER NOT NULL DEFAULT 0,
    journal    TEXT,
    fault      TEXT,
    fault_step INTEGER,
    updated_at INTEGER NOT NULL
);

CREATE INDEX progress_due ON progress (lane, seq) WHERE state = 0 AND wake_at IS NULL;
CREATE INDEX progress_delayed ON progress (wake_at) WHERE state = 0 AND wake_at IS NOT NULL;
-- With OR, because IN would build a table of its list in every write.
CREATE INDEX progress_special ON progress (state, seq) WHERE state = 1 OR state = 3 OR state = 5;

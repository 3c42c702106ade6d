-- The first schema. Read it with the sqlite3 shell; never change it: add 0002_*.sql instead.
--
-- Every row ends in a checksum over the table's name and the columns before it, which every read
-- verifies. Large bytes stand behind it, with their own sum (body_sum) in the checksummed part, so
-- that a row can be verified without reading them. Tables are rowid tables: bodies in a
-- WITHOUT ROWID tree are four times slower. Times are milliseconds since 1970, UTC.

CREATE TABLE meta (
  key      TEXT PRIMARY KEY NOT NULL,
  value    TEXT NOT NULL,
  checksum INTEGER NOT NULL
) STRICT;

CREATE TABLE conversation (
  id               INTEGER PRIMARY KEY,
  convo_id         TEXT NOT NULL UNIQUE,
  group_id         BLOB NOT NULL UNIQUE,
  generation       INTEGER NOT NULL CHECK (generation >= 0),      -- counts resets of the group
  creator          TEXT NOT NULL,
  suite            INTEGER NOT NULL CHECK (suite BETWEEN 0 AND 65535),
  name             TEXT NOT NULL,
  created_at       INTEGER NOT NULL,
  creation_epoch   INTEGER NOT NULL CHECK (creation_epoch >= 0),
  epoch            INTEGER NOT NULL CHECK (epoch >= creation_epoch),
  next_seq         INTEGER NOT NULL CHECK (next_seq >= 1),        -- of the next message: N + 1
  first_seq        INTEGER NOT NULL CHECK (first_seq >= 1),       -- older bodies have expired
  version          INTEGER NOT NULL CHECK (version >= 1),         -- counts writes
  owner_fence      INTEGER NOT NULL CHECK (owner_fence >= 0),     -- of the last writer
  group_info_epoch INTEGER CHECK (group_info_epoch BETWEEN 0 AND epoch),
  last_message_at  INTEGER,
  members          INTEGER NOT NULL CHECK (members >= 0),         -- rows in `member`, departed too
  checksum         INTEGER NOT NULL
) STRICT;

CREATE TABLE member (
  convo       INTEGER NOT NULL REFERENCES conversation (id),
  user        TEXT NOT NULL,
  admin       INTEGER NOT NULL CHECK (admin IN (0, 1)),
  join_seq    INTEGER NOT NULL CHECK (join_seq >= 0),             -- reads from the next one on
  read_seq    INTEGER NOT NULL CHECK (read_seq >= join_seq),
  joined_at   INTEGER NOT NULL,
  promoted_at INTEGER,
  left_seq    INTEGER CHECK (left_seq >= join_seq),               -- the last one it may read
  left_epoch  INTEGER CHECK (left_epoch >= 0),
  left_at     INTEGER,
  checksum    INTEGER NOT NULL,
  PRIMARY KEY (convo, user),
  CHECK ((left_seq IS NULL) = (left_epoch IS NULL) AND (left_seq IS NULL) = (left_at IS NULL)),
  CHECK (left_seq IS NULL OR admin = 0)
) STRICT;
CREATE INDEX member_active ON member (user, convo) WHERE left_seq IS NULL;

CREATE TABLE member_device (
  convo    INTEGER NOT NULL REFERENCES conversation (id),
  user     TEXT NOT NULL,
  device   TEXT NOT NULL,
  join_seq INTEGER NOT NULL CHECK (join_seq >= 0),
  checksum INTEGER NOT NULL,
  PRIMARY KEY (convo, user, device)
) STRICT;

-- The history. `position` is store-wide, in commit order.
CREATE TABLE message (
  position   INTEGER PRIMARY KEY AUTOINCREMENT,
  convo      INTEGER NOT NULL REFERENCES conversation (id),
  seq        INTEGER NOT NULL CHECK (seq >= 1),
  epoch      INTEGER NOT NULL CHECK (epoch >= 0),                 -- a commit's: the one it leads to
  kind       INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 3),       -- 1 app, 2 commit, 3 proposal
  msg_id     TEXT NOT NULL,
  base_epoch INTEGER CHECK (base_epoch = epoch - 1),              -- commits only
  sender_tag BLOB NOT NULL CHECK (length(sender_tag) = 16),       -- keyed: not who, but whether the same
  committer  TEXT,
  at         INTEGER NOT NULL,
  body_sum   INTEGER NOT NULL,
  checksum   INTEGER NOT NULL,
  body       BLOB NOT NULL,
  CHECK ((kind = 2) = (base_epoch IS NOT NULL))
) STRICT;
CREATE UNIQUE INDEX message_seq ON message (convo, seq);
-- The id first: ids that grow with time (ULIDs) then touch one page per batch, not one per row.
CREATE UNIQUE INDEX message_id ON message (msg_id, convo);
-- One accepted commit per epoch: the guard against forks.
CREATE UNIQUE INDEX message_base ON message (convo, base_epoch) WHERE base_epoch IS NOT NULL;
CREATE INDEX message_unread ON message (convo, seq, sender_tag) WHERE kind = 1;

-- Answers kept for retries: (user, method, key) has at most one effect, for ever.
CREATE TABLE idempotency (
  id        INTEGER PRIMARY KEY,
  user      TEXT NOT NULL,
  method    TEXT NOT NULL,
  key       TEXT NOT NULL,
  payload   BLOB NOT NULL CHECK (length(payload) = 32),           -- SHA-256 of the request
  convo     INTEGER NOT NULL REFERENCES conversation (id),
  after_seq INTEGER NOT NULL CHECK (after_seq >= 0),              -- N when it was recorded
  seq       INTEGER NOT NULL CHECK (seq >= 0),                    -- the answer, from here on
  epoch     INTEGER NOT NULL CHECK (epoch >= 0),
  at        INTEGER NOT NULL,
  detail    TEXT NOT NULL,
  checksum  INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX idempotency_key ON idempotency (user, method, key);
CREATE INDEX idempotency_convo ON idempotency (convo, after_seq);

CREATE TABLE welcome (
  id       INTEGER PRIMARY KEY,
  convo    INTEGER NOT NULL REFERENCES conversation (id),
  epoch    INTEGER NOT NULL CHECK (epoch >= 0),
  at       INTEGER NOT NULL,
  body_sum INTEGER NOT NULL,
  checksum INTEGER NOT NULL,
  body     BLOB NOT NULL
) STRICT;
CREATE INDEX welcome_convo ON welcome (convo);

-- One row per intended reader; an empty device is the whole user.
CREATE TABLE welcome_recipient (
  id       INTEGER PRIMARY KEY,
  welcome  INTEGER NOT NULL REFERENCES welcome (id),
  convo    INTEGER NOT NULL REFERENCES conversation (id),
  user     TEXT NOT NULL,
  device   TEXT NOT NULL,
  ref      BLOB NOT NULL,                                         -- KeyPackageRef; empty: declared only
  state    TEXT NOT NULL CHECK (state IN ('pending', 'confirmed', 'superseded')),
  at       INTEGER NOT NULL,
  checksum INTEGER NOT NULL
) STRICT;
CREATE INDEX welcome_recipient_user ON welcome_recipient (convo, user);
CREATE UNIQUE INDEX welcome_recipient_pending ON welcome_recipient (convo, user, device)
  WHERE state = 'pending';

CREATE TABLE group_info (
  convo    INTEGER PRIMARY KEY REFERENCES conversation (id),
  epoch    INTEGER NOT NULL CHECK (epoch >= 0),
  at       INTEGER NOT NULL,
  body_sum INTEGER NOT NULL,
  checksum INTEGER NOT NULL,
  body     BLOB NOT NULL
) STRICT;

-- `reserved` counts as available again once reserved_until has passed. A consumed package keeps
-- its names, so that it is never stored again, and loses its bytes.
CREATE TABLE key_package (
  id             INTEGER PRIMARY KEY,                             -- in order of publication
  user           TEXT NOT NULL,
  device         TEXT NOT NULL,
  suite          INTEGER NOT NULL CHECK (suite BETWEEN 0 AND 65535),
  ref            BLOB NOT NULL UNIQUE,
  hash           BLOB NOT NULL UNIQUE,                            -- SHA-256 of the upload
  last_resort    INTEGER NOT NULL CHECK (last_resort IN (0, 1)),
  not_after      INTEGER NOT NULL,
  published_at   INTEGER NOT NULL,
  state          TEXT NOT NULL CHECK (state IN ('available', 'reserved', 'consumed')),
  reserved_by    TEXT,
  reserved_until INTEGER,
  consumed_at    INTEGER,
  body_sum       INTEGER NOT NULL,
  checksum       INTEGER NOT NULL,
  body           BLOB NOT NULL,
  CHECK ((state = 'reserved') = (reserved_by IS NOT NULL)),
  CHECK ((state = 'reserved') = (reserved_until IS NOT NULL)),
  CHECK ((state = 'consumed') = (consumed_at IS NOT NULL)),
  CHECK (last_resort = 0 OR state = 'available')
) STRICT;
CREATE INDEX key_package_pool ON key_package (user, suite, state, not_after, reserved_until, consumed_at);

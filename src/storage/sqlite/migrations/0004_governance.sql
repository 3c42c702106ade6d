-- What a conversation has beside its row, roster and history: notices in its log, the policy,
-- moderators, reports, invites. Described for all databases in storage/tables/conversations.hpp.
-- Never change this file: add 0005_*.sql instead.

-- What members hear of that is no message. `position` is drawn from the same numbers as the
-- messages', so that both have one order.
CREATE TABLE notice (
  position  INTEGER PRIMARY KEY AUTOINCREMENT,
  convo_id  TEXT NOT NULL REFERENCES conversation (convo_id),
  kind      INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 13),
  user_did  TEXT NOT NULL,
  actor     TEXT NOT NULL,
  device    TEXT NOT NULL,
  reference TEXT NOT NULL,
  words     TEXT NOT NULL,
  seq       INTEGER NOT NULL CHECK (seq >= 0),                      -- N when it happened
  epoch     INTEGER NOT NULL CHECK (epoch >= 0),
  at        INTEGER NOT NULL,
  checksum  INTEGER NOT NULL
) STRICT;
CREATE INDEX notice_convo ON notice (convo_id, position);

CREATE TABLE convo_policy (
  convo_id               TEXT PRIMARY KEY NOT NULL REFERENCES conversation (convo_id),
  allow_invites          INTEGER NOT NULL CHECK (allow_invites IN (0, 1)),
  admin_only_invites     INTEGER NOT NULL CHECK (admin_only_invites IN (0, 1)),
  allow_member_add       INTEGER NOT NULL CHECK (allow_member_add IN (0, 1)),
  allow_member_remove    INTEGER NOT NULL CHECK (allow_member_remove IN (0, 1)),
  require_admin_approval INTEGER NOT NULL CHECK (require_admin_approval IN (0, 1)),
  max_members            INTEGER NOT NULL CHECK (max_members BETWEEN 2 AND 1000),
  updated_by             TEXT NOT NULL,
  at                     INTEGER NOT NULL,
  checksum               INTEGER NOT NULL
) STRICT;

CREATE TABLE moderator (
  convo_id TEXT NOT NULL REFERENCES conversation (convo_id),
  user_did TEXT NOT NULL,
  at       INTEGER NOT NULL,
  checksum INTEGER NOT NULL,
  PRIMARY KEY (convo_id, user_did)
) STRICT;

CREATE TABLE report (
  id           TEXT PRIMARY KEY NOT NULL,
  convo_id     TEXT NOT NULL REFERENCES conversation (convo_id),
  reporter     TEXT NOT NULL,
  reported     TEXT NOT NULL CHECK (reported <> reporter),
  category     TEXT NOT NULL,
  message_ids  TEXT,                                             -- one a line
  status       TEXT NOT NULL CHECK (status IN ('pending', 'resolved', 'dismissed')),
  at           INTEGER NOT NULL,
  action_taken TEXT,
  notes        TEXT,
  resolved_by  TEXT,
  resolved_at  INTEGER,
  content      BLOB NOT NULL CHECK (length(content) <= 51200),     -- encrypted for the admins
  checksum     INTEGER NOT NULL,
  CHECK ((status = 'pending') = (action_taken IS NULL)),
  CHECK ((status = 'pending') = (resolved_by IS NULL)),
  CHECK ((status = 'pending') = (resolved_at IS NULL))
) STRICT;
CREATE INDEX report_convo ON report (convo_id, at);

CREATE TABLE invite (
  id         TEXT PRIMARY KEY NOT NULL,
  convo_id   TEXT NOT NULL REFERENCES conversation (convo_id),
  created_by TEXT NOT NULL,
  at         INTEGER NOT NULL,
  psk_hash   TEXT NOT NULL CHECK (length(psk_hash) = 64),
  target     TEXT,
  expires_at INTEGER,
  max_uses   INTEGER CHECK (max_uses >= 1),
  uses       INTEGER NOT NULL CHECK (uses >= 0),
  revoked_at INTEGER,
  revoked_by TEXT,
  checksum   INTEGER NOT NULL,
  CHECK (max_uses IS NULL OR uses <= max_uses),
  CHECK ((revoked_at IS NULL) = (revoked_by IS NULL))
) STRICT;
CREATE INDEX invite_convo ON invite (convo_id, at);

-- A block between two members, as the blocker's client reported it.
CREATE TABLE block_conflict (
  convo_id  TEXT NOT NULL REFERENCES conversation (convo_id),
  blocker   TEXT NOT NULL,
  blocked   TEXT NOT NULL CHECK (blocked <> blocker),
  at        INTEGER NOT NULL,
  lifted_at INTEGER CHECK (lifted_at >= at),
  checksum  INTEGER NOT NULL,
  PRIMARY KEY (convo_id, blocker, blocked)
) STRICT;
CREATE INDEX block_conflict_users ON block_conflict (blocker, blocked);

-- Key packages handed out within the last hour: a pool is not drained by strangers.
CREATE TABLE key_package_claim (
  user_did TEXT NOT NULL,
  package  INTEGER NOT NULL,                                         -- key_package.id
  device   TEXT NOT NULL,
  suite    INTEGER NOT NULL CHECK (suite BETWEEN 0 AND 65535),
  caller   TEXT NOT NULL,
  at       INTEGER NOT NULL,
  checksum INTEGER NOT NULL,
  PRIMARY KEY (user_did, package)
) STRICT;

-- What the operator has done to users: who is suspended, and a line for each order.
CREATE TABLE suspension (
  user_did TEXT PRIMARY KEY NOT NULL,
  reason   TEXT NOT NULL,
  at       INTEGER NOT NULL,
  checksum INTEGER NOT NULL
) STRICT;
CREATE TABLE operator_act (
  id       TEXT PRIMARY KEY NOT NULL,
  what     TEXT NOT NULL CHECK (what IN ('suspend', 'lift', 'erase')),
  user_did TEXT NOT NULL,
  reason   TEXT NOT NULL,
  at       INTEGER NOT NULL,
  outcome  TEXT NOT NULL,
  checksum INTEGER NOT NULL
) STRICT;

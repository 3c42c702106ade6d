-- What a conversation has beside its row, roster and history: notices in its log, the policy,
-- moderators, reports, invites. Described for all databases in storage/tables/conversations.hpp.
-- Never change this file: add 0005_*.sql instead.

-- What members hear of that is no message. `position` is drawn from the same numbers as the
-- messages', so that both have one order.
CREATE TABLE notice (
  position  bigint PRIMARY KEY CHECK (position >= 1),
  convo_id  text NOT NULL REFERENCES conversation (convo_id),
  kind      bigint NOT NULL CHECK (kind BETWEEN 1 AND 13),
  user_did  text NOT NULL,
  actor     text NOT NULL,
  device    text NOT NULL,
  reference text NOT NULL,
  words     text NOT NULL,
  seq       bigint NOT NULL CHECK (seq >= 0),                      -- N when it happened
  epoch     bigint NOT NULL CHECK (epoch >= 0),
  at        bigint NOT NULL,
  checksum  bigint NOT NULL
);
CREATE INDEX notice_convo ON notice (convo_id, position);

CREATE TABLE convo_policy (
  convo_id               text PRIMARY KEY REFERENCES conversation (convo_id),
  allow_invites          bigint NOT NULL CHECK (allow_invites IN (0, 1)),
  admin_only_invites     bigint NOT NULL CHECK (admin_only_invites IN (0, 1)),
  allow_member_add       bigint NOT NULL CHECK (allow_member_add IN (0, 1)),
  allow_member_remove    bigint NOT NULL CHECK (allow_member_remove IN (0, 1)),
  require_admin_approval bigint NOT NULL CHECK (require_admin_approval IN (0, 1)),
  max_members            bigint NOT NULL CHECK (max_members BETWEEN 2 AND 1000),
  updated_by             text NOT NULL,
  at                     bigint NOT NULL,
  checksum               bigint NOT NULL
);

CREATE TABLE moderator (
  convo_id text NOT NULL REFERENCES conversation (convo_id),
  user_did text NOT NULL,
  at       bigint NOT NULL,
  checksum bigint NOT NULL,
  PRIMARY KEY (convo_id, user_did)
);

CREATE TABLE report (
  id           text PRIMARY KEY,
  convo_id     text NOT NULL REFERENCES conversation (convo_id),
  reporter     text NOT NULL,
  reported     text NOT NULL CHECK (reported <> reporter),
  category     text NOT NULL,
  message_ids  text,                                             -- one a line
  status       text NOT NULL CHECK (status IN ('pending', 'resolved', 'dismissed')),
  at           bigint NOT NULL,
  action_taken text,
  notes        text,
  resolved_by  text,
  resolved_at  bigint,
  content      bytea NOT NULL CHECK (octet_length(content) <= 51200),     -- encrypted for the admins
  checksum     bigint NOT NULL,
  CHECK ((status = 'pending') = (action_taken IS NULL)),
  CHECK ((status = 'pending') = (resolved_by IS NULL)),
  CHECK ((status = 'pending') = (resolved_at IS NULL))
);
CREATE INDEX report_convo ON report (convo_id, at);

CREATE TABLE invite (
  id         text PRIMARY KEY,
  convo_id   text NOT NULL REFERENCES conversation (convo_id),
  created_by text NOT NULL,
  at         bigint NOT NULL,
  psk_hash   text NOT NULL CHECK (char_length(psk_hash) = 64),
  target     text,
  expires_at bigint,
  max_uses   bigint CHECK (max_uses >= 1),
  uses       bigint NOT NULL CHECK (uses >= 0),
  revoked_at bigint,
  revoked_by text,
  checksum   bigint NOT NULL,
  CHECK (max_uses IS NULL OR uses <= max_uses),
  CHECK ((revoked_at IS NULL) = (revoked_by IS NULL))
);
CREATE INDEX invite_convo ON invite (convo_id, at);

-- A block between two members, as the blocker's client reported it.
CREATE TABLE block_conflict (
  convo_id  text NOT NULL REFERENCES conversation (convo_id),
  blocker   text NOT NULL,
  blocked   text NOT NULL CHECK (blocked <> blocker),
  at        bigint NOT NULL,
  lifted_at bigint CHECK (lifted_at >= at),
  checksum  bigint NOT NULL,
  PRIMARY KEY (convo_id, blocker, blocked)
);
CREATE INDEX block_conflict_users ON block_conflict (blocker, blocked);

-- Key packages handed out within the last hour: a pool is not drained by strangers.
CREATE TABLE key_package_claim (
  user_did text NOT NULL,
  package  bigint NOT NULL,                                         -- key_package.id
  device   text NOT NULL,
  suite    bigint NOT NULL CHECK (suite BETWEEN 0 AND 65535),
  caller   text NOT NULL,
  at       bigint NOT NULL,
  checksum bigint NOT NULL,
  PRIMARY KEY (user_did, package)
);

-- What the operator has done to users: who is suspended, and a line for each order.
CREATE TABLE suspension (
  user_did text PRIMARY KEY,
  reason   text NOT NULL,
  at       bigint NOT NULL,
  checksum bigint NOT NULL
);
CREATE TABLE operator_act (
  id       text PRIMARY KEY,
  what     text NOT NULL CHECK (what IN ('suspend', 'lift', 'erase')),
  user_did text NOT NULL,
  reason   text NOT NULL,
  at       bigint NOT NULL,
  outcome  text NOT NULL,
  checksum bigint NOT NULL
);

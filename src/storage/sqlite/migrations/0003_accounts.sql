-- Devices, push tokens, opt-ins and chat requests: plain tables, which the program describes once for
-- all databases (storage/table.hpp). The columns stand in the order of those descriptions. Never
-- change this file: add 0004_*.sql instead.

CREATE TABLE device (
  user_did      TEXT NOT NULL,
  device        TEXT NOT NULL CHECK (device <> ''),
  uuid          TEXT,                                             -- the client's own name for it
  name          TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
  signature_key BLOB NOT NULL CHECK (length(signature_key) = 32),
  registered_at INTEGER NOT NULL,
  seen_at       INTEGER NOT NULL CHECK (seen_at >= registered_at),
  checksum      INTEGER NOT NULL,
  PRIMARY KEY (user_did, device),
  UNIQUE (user_did, uuid),
  UNIQUE (user_did, signature_key)
) STRICT;

CREATE TABLE push_token (
  user_did TEXT NOT NULL,
  device   TEXT NOT NULL,
  platform TEXT NOT NULL CHECK (platform IN ('ios', 'android', 'web')),
  sealed   BLOB NOT NULL CHECK (length(sealed) > 28),              -- nonce, ciphertext, tag
  at       INTEGER NOT NULL,
  checksum INTEGER NOT NULL,
  PRIMARY KEY (user_did, device),
  FOREIGN KEY (user_did, device) REFERENCES device (user_did, device)
) STRICT;

-- What a push sender has to learn; the newest counts.
CREATE TABLE push_notice (
  user_did TEXT NOT NULL,
  device   TEXT NOT NULL,
  what     TEXT NOT NULL CHECK (what IN ('token-registered', 'token-removed')),
  at       INTEGER NOT NULL,
  checksum INTEGER NOT NULL,
  PRIMARY KEY (user_did, device)
) STRICT;

CREATE TABLE opt_in (
  user_did TEXT PRIMARY KEY NOT NULL,
  device   TEXT NOT NULL,
  at       INTEGER NOT NULL,
  checksum INTEGER NOT NULL
) STRICT;

CREATE TABLE subscription_ticket (
  ticket     BLOB PRIMARY KEY NOT NULL CHECK (length(ticket) = 32),  -- SHA-256 of it
  user_did   TEXT NOT NULL,
  device     TEXT NOT NULL,
  convo_id   TEXT,
  expires_at INTEGER NOT NULL,
  checksum   INTEGER NOT NULL
) STRICT;
CREATE INDEX subscription_ticket_user ON subscription_ticket (user_did, expires_at);

CREATE TABLE pending_addition (
  id          TEXT PRIMARY KEY NOT NULL,
  convo_id    TEXT NOT NULL,
  user_did    TEXT NOT NULL,
  device      TEXT NOT NULL,
  device_name TEXT NOT NULL,
  status      TEXT NOT NULL CHECK (status IN ('pending', 'done')),
  claimed_by  TEXT,
  claim_until INTEGER,
  at          INTEGER NOT NULL,
  checksum    INTEGER NOT NULL,
  UNIQUE (convo_id, user_did, device),
  CHECK ((claimed_by IS NULL) = (claim_until IS NULL)),
  FOREIGN KEY (user_did, device) REFERENCES device (user_did, device)
) STRICT;
CREATE INDEX pending_addition_device ON pending_addition (user_did, device);

CREATE TABLE chat_request (
  id           TEXT PRIMARY KEY NOT NULL,
  sender       TEXT NOT NULL,
  recipient    TEXT NOT NULL CHECK (recipient <> sender),
  status       TEXT NOT NULL CHECK (status IN ('pending', 'accepted', 'declined', 'blocked', 'expired')),
  at           INTEGER NOT NULL,
  expires_at   INTEGER NOT NULL CHECK (expires_at > at),
  preview      TEXT,
  group_invite INTEGER NOT NULL CHECK (group_invite IN (0, 1)),
  group_id     TEXT,
  messages     INTEGER NOT NULL CHECK (messages BETWEEN 0 AND 5),  -- held ones
  decided_at   INTEGER,
  reason       TEXT CHECK (reason IN ('spam', 'harassment', 'inappropriate', 'other')),
  details      TEXT,
  checksum     INTEGER NOT NULL,
  CHECK ((status = 'pending') = (decided_at IS NULL)),
  CHECK (status <> 'accepted' OR group_id IS NOT NULL)
) STRICT;
-- At most one open request of one user to another.
CREATE UNIQUE INDEX chat_request_open ON chat_request (sender, recipient) WHERE status = 'pending';
CREATE INDEX chat_request_inbox ON chat_request (recipient, status, at);
CREATE INDEX chat_request_sent ON chat_request (sender, at);

CREATE TABLE held_message (
  request       TEXT NOT NULL REFERENCES chat_request (id),
  number        INTEGER NOT NULL CHECK (number BETWEEN 1 AND 5),
  padded_size   INTEGER NOT NULL,
  ephemeral_key BLOB NOT NULL CHECK (length(ephemeral_key) <= 256),
  ciphertext    BLOB NOT NULL CHECK (length(ciphertext) = padded_size),
  checksum      INTEGER NOT NULL,
  PRIMARY KEY (request, number)
) STRICT;

CREATE TABLE chat_settings (
  user_did         TEXT PRIMARY KEY NOT NULL,
  followers_bypass INTEGER NOT NULL CHECK (followers_bypass IN (0, 1)),
  following_bypass INTEGER NOT NULL CHECK (following_bypass IN (0, 1)),
  expire_days      INTEGER NOT NULL CHECK (expire_days BETWEEN 1 AND 30),
  checksum         INTEGER NOT NULL
) STRICT;

CREATE TABLE blocked_sender (
  user_did TEXT NOT NULL,
  sender   TEXT NOT NULL CHECK (sender <> user_did),
  reason   TEXT NOT NULL,
  at       INTEGER NOT NULL,
  checksum INTEGER NOT NULL,
  PRIMARY KEY (user_did, sender)
) STRICT;

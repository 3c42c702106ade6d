-- Devices, push tokens, opt-ins and chat requests: plain tables, which the program describes once for
-- all databases (storage/table.hpp). The columns stand in the order of those descriptions. Never
-- change this file: add 0004_*.sql instead. Run by the owner role, with search_path = catbird.

CREATE TABLE device (
  user_did      text COLLATE "C" NOT NULL,
  device        text COLLATE "C" NOT NULL CHECK (device <> ''),
  uuid          text COLLATE "C",                                             -- the client's own name for it
  name          text COLLATE "C" NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
  signature_key bytea NOT NULL CHECK (length(signature_key) = 32),
  registered_at bigint NOT NULL,
  seen_at       bigint NOT NULL CHECK (seen_at >= registered_at),
  checksum      bigint NOT NULL,
  PRIMARY KEY (user_did, device),
  UNIQUE (user_did, uuid),
  UNIQUE (user_did, signature_key)
);

CREATE TABLE push_token (
  user_did text COLLATE "C" NOT NULL,
  device   text COLLATE "C" NOT NULL,
  platform text COLLATE "C" NOT NULL CHECK (platform IN ('ios', 'android', 'web')),
  sealed   bytea NOT NULL CHECK (length(sealed) > 28),              -- nonce, ciphertext, tag
  at       bigint NOT NULL,
  checksum bigint NOT NULL,
  PRIMARY KEY (user_did, device),
  FOREIGN KEY (user_did, device) REFERENCES device (user_did, device)
);

-- What a push sender has to learn; the newest counts.
CREATE TABLE push_notice (
  user_did text COLLATE "C" NOT NULL,
  device   text COLLATE "C" NOT NULL,
  what     text COLLATE "C" NOT NULL CHECK (what IN ('token-registered', 'token-removed')),
  at       bigint NOT NULL,
  checksum bigint NOT NULL,
  PRIMARY KEY (user_did, device)
);

CREATE TABLE opt_in (
  user_did text COLLATE "C" PRIMARY KEY NOT NULL,
  device   text COLLATE "C" NOT NULL,
  at       bigint NOT NULL,
  checksum bigint NOT NULL
);

CREATE TABLE subscription_ticket (
  ticket     bytea PRIMARY KEY NOT NULL CHECK (length(ticket) = 32),  -- SHA-256 of it
  user_did   text COLLATE "C" NOT NULL,
  device     text COLLATE "C" NOT NULL,
  convo_id   text COLLATE "C",
  expires_at bigint NOT NULL,
  checksum   bigint NOT NULL
);
CREATE INDEX subscription_ticket_user ON subscription_ticket (user_did, expires_at);

CREATE TABLE pending_addition (
  id          text COLLATE "C" PRIMARY KEY NOT NULL,
  convo_id    text COLLATE "C" NOT NULL,
  user_did    text COLLATE "C" NOT NULL,
  device      text COLLATE "C" NOT NULL,
  device_name text COLLATE "C" NOT NULL,
  status      text COLLATE "C" NOT NULL CHECK (status IN ('pending', 'done')),
  claimed_by  text COLLATE "C",
  claim_until bigint,
  at          bigint NOT NULL,
  checksum    bigint NOT NULL,
  UNIQUE (convo_id, user_did, device),
  CHECK ((claimed_by IS NULL) = (claim_until IS NULL)),
  FOREIGN KEY (user_did, device) REFERENCES device (user_did, device)
);
CREATE INDEX pending_addition_device ON pending_addition (user_did, device);

CREATE TABLE chat_request (
  id           text COLLATE "C" PRIMARY KEY NOT NULL,
  sender       text COLLATE "C" NOT NULL,
  recipient    text COLLATE "C" NOT NULL CHECK (recipient <> sender),
  status       text COLLATE "C" NOT NULL CHECK (status IN ('pending', 'accepted', 'declined', 'blocked', 'expired')),
  at           bigint NOT NULL,
  expires_at   bigint NOT NULL CHECK (expires_at > at),
  preview      text COLLATE "C",
  group_invite bigint NOT NULL CHECK (group_invite IN (0, 1)),
  group_id     text COLLATE "C",
  messages     bigint NOT NULL CHECK (messages BETWEEN 0 AND 5),  -- held ones
  decided_at   bigint,
  reason       text COLLATE "C" CHECK (reason IN ('spam', 'harassment', 'inappropriate', 'other')),
  details      text COLLATE "C",
  checksum     bigint NOT NULL,
  CHECK ((status = 'pending') = (decided_at IS NULL)),
  CHECK (status <> 'accepted' OR group_id IS NOT NULL)
);
-- At most one open request of one user to another.
CREATE UNIQUE INDEX chat_request_open ON chat_request (sender, recipient) WHERE status = 'pending';
CREATE INDEX chat_request_inbox ON chat_request (recipient, status, at);
CREATE INDEX chat_request_sent ON chat_request (sender, at);

CREATE TABLE held_message (
  request       text COLLATE "C" NOT NULL REFERENCES chat_request (id),
  number        bigint NOT NULL CHECK (number BETWEEN 1 AND 5),
  padded_size   bigint NOT NULL,
  ephemeral_key bytea NOT NULL CHECK (length(ephemeral_key) <= 256),
  ciphertext    bytea NOT NULL CHECK (length(ciphertext) = padded_size),
  checksum      bigint NOT NULL,
  PRIMARY KEY (request, number)
);

CREATE TABLE chat_settings (
  user_did         text COLLATE "C" PRIMARY KEY NOT NULL,
  followers_bypass bigint NOT NULL CHECK (followers_bypass IN (0, 1)),
  following_bypass bigint NOT NULL CHECK (following_bypass IN (0, 1)),
  expire_days      bigint NOT NULL CHECK (expire_days BETWEEN 1 AND 30),
  checksum         bigint NOT NULL
);

CREATE TABLE blocked_sender (
  user_did text COLLATE "C" NOT NULL,
  sender   text COLLATE "C" NOT NULL CHECK (sender <> user_did),
  reason   text COLLATE "C" NOT NULL,
  at       bigint NOT NULL,
  checksum bigint NOT NULL,
  PRIMARY KEY (user_did, sender)
);

// SPDX-License-Identifier: MIT
// A database as the predecessor left it behind, at the first and at the last state of its schema: its
// tables as far as an import reads them, and a few of those that have no place with us.
import { randomUUID } from "node:crypto";
import { psql } from "./server.mjs";

const shared = `
  CREATE TABLE welcome_messages (id text PRIMARY KEY, convo_id text NOT NULL, recipient_did text NOT NULL,
    welcome_data bytea NOT NULL, key_package_hash bytea, created_at timestamptz NOT NULL DEFAULT now(),
    consumed boolean NOT NULL DEFAULT false, consumed_at timestamptz);
  CREATE TABLE cursors (user_did text, convo_id text, last_seen_cursor text);
  CREATE TABLE event_stream (id text PRIMARY KEY, convo_id text, event_type text, payload jsonb);`;

const first = `
  CREATE TABLE users (did text PRIMARY KEY);
  CREATE TABLE conversations (id text PRIMARY KEY, creator_did text NOT NULL, current_epoch integer NOT NULL DEFAULT 0,
    name text, group_id text, cipher_suite text, idempotency_key text UNIQUE, created_at timestamptz NOT NULL DEFAULT now());
  CREATE TABLE members (convo_id text NOT NULL, member_did text NOT NULL, joined_at timestamptz NOT NULL DEFAULT now(),
    left_at timestamptz, unread_count integer NOT NULL DEFAULT 0, last_read_at timestamptz, PRIMARY KEY (convo_id, member_did));
  CREATE TABLE messages (id text PRIMARY KEY, convo_id text NOT NULL, sender_did text NOT NULL, message_type text NOT NULL,
    epoch bigint NOT NULL, seq bigint NOT NULL DEFAULT 0, ciphertext bytea NOT NULL, created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz, idempotency_key text UNIQUE, msg_id text, UNIQUE (convo_id, msg_id));
  CREATE TABLE key_packages (id serial PRIMARY KEY, did text NOT NULL, cipher_suite text NOT NULL, key_data bytea NOT NULL,
    key_package_hash text NOT NULL, created_at timestamptz NOT NULL DEFAULT now(), expires_at timestamptz NOT NULL,
    consumed boolean NOT NULL DEFAULT false, UNIQUE (did, cipher_suite, key_data));`;

const last = `
  CREATE TABLE users (did text PRIMARY KEY);
  CREATE TABLE conversations (id text PRIMARY KEY, creator_did text NOT NULL, current_epoch integer NOT NULL DEFAULT 0,
    name text, description text, group_id text, cipher_suite text, group_info bytea, group_info_epoch integer,
    sequencer_ds text, is_remote boolean NOT NULL DEFAULT false, created_at timestamptz NOT NULL DEFAULT now());
  CREATE TABLE members (convo_id text NOT NULL, member_did text NOT NULL, user_did text, device_id text, leaf_index integer,
    joined_at timestamptz NOT NULL DEFAULT now(), left_at timestamptz, unread_count integer NOT NULL DEFAULT 0,
    is_admin boolean NOT NULL DEFAULT false, is_moderator boolean NOT NULL DEFAULT false,
    needs_rejoin boolean NOT NULL DEFAULT false, PRIMARY KEY (convo_id, member_did));
  CREATE TABLE messages (id text PRIMARY KEY, convo_id text NOT NULL, sender_did text, message_type text NOT NULL,
    epoch bigint NOT NULL, seq bigint NOT NULL DEFAULT 0, ciphertext bytea NOT NULL, created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz, msg_id text, padded_size bigint, received_bucket_ts bigint, UNIQUE (convo_id, msg_id));
  CREATE TABLE key_packages (id text PRIMARY KEY, owner_did text NOT NULL REFERENCES users (did), device_id text,
    credential_did text, cipher_suite text NOT NULL, key_package bytea NOT NULL, key_package_hash text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(), expires_at timestamptz NOT NULL, consumed_at timestamptz,
    reserved_at timestamptz, reserved_by text);
  CREATE TABLE reports (id text PRIMARY KEY, convo_id text, category text);`;

const literal = (value) => {
  if (value === undefined || value === null) return "NULL";
  if (value instanceof Uint8Array) return `'\\x${Buffer.from(value).toString("hex")}'`;
  if (value instanceof Date) return `'${value.toISOString()}'`;
  return typeof value === "string" ? `'${value.replaceAll("'", "''")}'` : String(value);
};

export class Predecessor {
  /** `state`: "first" or "last". */
  constructor(url, state) {
    Object.assign(this, { url, state, started: Date.now() - 3_600_000 });
    this.sql((state === "first" ? first : last) + shared);
  }

  sql(text) {
    return psql(this.url, text).trim();
  }

  insert(table, row) {
    const columns = Object.keys(row).filter((name) => row[name] !== undefined);
    this.sql(`INSERT INTO ${table} (${columns}) VALUES (${columns.map((name) => literal(row[name]))})`);
    return row;
  }

  /** `seconds` after the conversation began. */
  at(seconds) {
    return new Date(this.started + seconds * 1000);
  }

  convo({ groupId, creator, epoch, groupInfo, id = this.state === "first" ? randomUUID() : groupId.toString("hex") }) {
    this.insert("conversations", { id, creator_did: creator.did, current_epoch: epoch, group_id: groupId.toString("hex"),
      cipher_suite: "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519", name: "brought along", created_at: this.at(0),
      ...(this.state === "last" ? { group_info: groupInfo } : {}) });
    return id;
  }

  member(convo, user, { joined = 0, left, admin, unread } = {}) {
    this.insert("members", { convo_id: convo, member_did: user.did, joined_at: this.at(joined),
      left_at: left === undefined ? undefined : this.at(left), unread_count: unread ?? 0,
      ...(this.state === "last" ? { user_did: user.did, is_admin: admin ?? false } : {}) });
  }

  message(convo, bytes, { seq, seconds, sender, type = "app", msgId }) {
    const id = randomUUID();
    this.insert("messages", { id, convo_id: convo, message_type: type, epoch: 0, seq, ciphertext: bytes, msg_id: msgId,
      sender_did: this.state === "first" ? sender?.did ?? "system" : undefined, created_at: this.at(seconds) });
    return msgId ?? id;
  }

  keyPackage(owner, bytes, { consumed = false } = {}) {
    const common = { cipher_suite: "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519", key_package_hash: "00",
      expires_at: new Date(Date.now() + 20 * 86_400_000) };
    if (this.state === "first") {
      this.insert("key_packages", { ...common, did: owner.did, key_data: bytes, consumed });
      return;
    }
    this.sql(`INSERT INTO users VALUES (${literal(owner.did)}) ON CONFLICT DO NOTHING`);
    this.insert("key_packages", { ...common, id: randomUUID(), owner_did: owner.did, key_package: bytes,
      consumed_at: consumed ? new Date() : undefined });
  }

  welcome(convo, recipient, bytes, { consumed = false } = {}) {
    this.insert("welcome_messages", { id: randomUUID(), convo_id: convo, recipient_did: recipient.did, welcome_data: bytes,
      created_at: this.at(5), consumed });
  }
}

// SPDX-License-Identifier: MIT
// Real MLS bytes for a tour with curl: each command prints a request body, or reads an answer. What a
// member must remember between two commands (keys, group state) is kept in a folder, unencrypted: this
// is for trying out a development server and for nothing else.
import { randomUUID } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { deserialize, serialize } from "node:v8";
import {
  base64, decode, encode, framed, fromBase64, groupInfoOf, hex, mls, newKeyPackage, newSignatureKey,
  suite, suiteName, unframed, utf8,
} from "./lib/mls.mjs";

const { defaultClientConfig } = await import("ts-mls/clientConfig.js");
const usage = `usage: demo COMMAND, where a DID names who acts
  key-package DID    prints the body of publishKeyPackage
  create DID         reads the answer of getKeyPackages, prints the body of createConvo (with a Welcome)
  convo              prints the id of the conversation created last
  message DID TEXT   prints the body of sendMessage
  join DID           reads the answer of getWelcome, prints the body of confirmWelcome
  read DID           reads the answer of getMessages, prints what it decrypts
Answers are read from standard input. State: CATBIRD_DEMO_STATE, or .cache/demo in the source tree.`;

const folder = process.env.CATBIRD_DEMO_STATE ?? resolve(import.meta.dirname, "../../../.cache/demo");
const fileOf = (name) => join(folder, `${name.replaceAll(/[^a-z0-9]/gi, "_")}.state`);

function load(name) {
  try {
    return deserialize(readFileSync(fileOf(name)));
  } catch (error) {
    if (error.code === "ENOENT") return {};
    throw error;
  }
}

function save(name, value) {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeFileSync(fileOf(name), serialize(value), { mode: 0o600 });
}

// The configuration holds functions, which cannot be stored.
const stored = (group) => ({ ...group, clientConfig: undefined });
const restored = (group) => {
  if (!group) throw new Error("this member is in no group yet: create or join first");
  return { ...group, clientConfig: defaultClientConfig };
};

const answer = (field) => {
  const body = JSON.parse(readFileSync(0, "utf8"));
  if (body[field] === undefined) throw new Error(`no "${field}" in the answer: ${JSON.stringify(body)}`);
  return body[field];
};
const print = (body) => console.log(JSON.stringify(body));

const commands = {
  async "key-package"(did) {
    const me = load(did);
    me.signatureKey ??= await newSignatureKey();
    const made = await newKeyPackage(did, me.signatureKey);
    me.keyPackages = { ...me.keyPackages, [made.ref]: made };
    save(did, me);
    print({ keyPackage: base64(made.bytes), cipherSuite: suiteName });
  },

  async create(did) {
    const others = answer("keyPackages");
    const signatureKey = await newSignatureKey();
    const own = await newKeyPackage(did, signatureKey);
    const groupId = crypto.getRandomValues(new Uint8Array(16));
    const alone = await mls.createGroup(groupId, own.publicPackage, own.privatePackage, [], suite);
    const made = await mls.createCommit({ state: alone, cipherSuite: suite }, {
      ratchetTreeExtension: true,
      extraProposals: others.map(({ keyPackage }) => ({
        proposalType: "add",
        add: { keyPackage: decode(fromBase64(keyPackage), "mls_key_package").keyPackage },
      })),
    });
    save(did, { ...load(did), signatureKey, group: stored(made.newState), sent: [] });
    save("convo", hex(groupId));
    print({
      groupId: hex(groupId), cipherSuite: suiteName, idempotencyKey: randomUUID(),
      initialMembers: [...new Set(others.map((other) => other.did))],
      keyPackageHashes: others.map((other) => ({ did: other.did, hash: other.keyPackageHash })),
      welcomeMessage: base64(encode("mls_welcome", { welcome: made.welcome })),
      groupInfo: base64(await groupInfoOf(made.newState)), currentEpoch: 1,
    });
  },

  convo() {
    console.log(load("convo"));
  },

  async message(did, text) {
    const me = load(did);
    const group = restored(me.group);
    const made = await mls.createApplicationMessage(group, utf8(text), suite);
    const frame = framed(encode("mls_private_message", { privateMessage: made.privateMessage }));
    const msgId = randomUUID();
    save(did, { ...me, group: stored(made.newState), sent: [...me.sent ?? [], msgId] });
    print({
      convoId: hex(group.groupContext.groupId), msgId, epoch: Number(group.groupContext.epoch),
      paddedSize: frame.length, ciphertext: { $bytes: base64(frame) },
    });
  },

  async join(did) {
    const me = load(did);
    const { welcome } = decode(fromBase64(answer("welcome")), "mls_welcome");
    const mine = welcome.secrets.map(({ newMember }) => me.keyPackages?.[hex(newMember)]).find(Boolean);
    if (!mine) throw new Error("the Welcome is for none of this member's key packages");
    const group = await mls.joinGroup(welcome, mine.publicPackage, mine.privatePackage, mls.emptyPskIndex, suite);
    save(did, { ...me, group: stored(group) });
    print({ convoId: hex(group.groupContext.groupId), success: true });
  },

  async read(did) {
    const me = load(did);
    let group = restored(me.group);
    const seen = new Set(me.seen ?? []);
    for (const row of answer("messages")) {
      if (row.messageType !== "app" || seen.has(row.id) || me.sent?.includes(row.id)) continue;
      const { privateMessage } = decode(unframed(fromBase64(row.ciphertext.$bytes)), "mls_private_message");
      const result = await mls.processPrivateMessage(group, privateMessage, mls.emptyPskIndex, suite);
      group = result.newState;
      seen.add(row.id);
      console.log(`${row.seq}: ${new TextDecoder().decode(result.message)}`);
    }
    save(did, { ...me, group: stored(group), seen: [...seen] });
  },
};

const [name, ...rest] = process.argv.slice(2);
const command = Object.hasOwn(commands, name ?? "") ? commands[name] : undefined;
if (!command || rest.length < command.length) {
  console.error(usage);
  process.exit(2);
}
try {
  await command(...rest);
} catch (error) {
  console.error(`demo ${name}: ${error.message}`);
  process.exit(1);
}

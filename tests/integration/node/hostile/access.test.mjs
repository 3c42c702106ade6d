// SPDX-License-Identifier: MIT
// The access matrix: every method, called by everybody, answers what access_matrix.txt says; a refusal
// changes nothing; and to a stranger no conversation is like a conversation of others.
import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { contentHash, modes } from "../lib/hostile.mjs";
import { bareMessage, externalCommit, keyPackage, newSigner, welcomeFor } from "../lib/handmade.mjs";
import { Convo, World, base64, isQuery, prefix, queryOf, suite1 } from "../lib/world.mjs";

const table = readFileSync(new URL("access_matrix.txt", import.meta.url), "utf8").split("\n")
  .filter((line) => line && !line.startsWith("#")).map((line) => line.split("|").map((cell) => cell.trim()));
const [[, ...principals], ...rows] = table;

/** A conversation with somebody in every role, a Welcome for the member's device, a current GroupInfo. */
async function newScene(world) {
  const names = ["admin", "member", "removed", "stranger", "victim", "newcomer"];
  const people = Object.fromEntries((await world.users(...names)).map((user, index) => [names[index], user]));
  Object.assign(people, { member: people.member.on("phone"), device: people.member.on("tablet") });
  const { admin, member, removed, victim } = people;
  const convo = await Convo.create(admin, [removed, victim]);
  const made = await member.publish();
  await admin.ok("getKeyPackages", { dids: [member.did] });
  await convo.add(admin, [member], { welcomeMessage: base64(welcomeFor([made.ref])) });
  await convo.send(admin);
  await convo.remove(admin, removed, { groupInfo: base64(await convo.groupInfo(convo.epoch + 1)) });
  await convo.send(admin);
  // A device of the victim's waits to be added.
  const signer = await newSigner();
  await victim.ok("registerDevice", { deviceName: "new", keyPackages: [], signaturePublicKey: { $bytes: base64(signer.publicKey) } });
  const { pendingAdditions: [{ id }] } = await admin.ok("getPendingDeviceAdditions", { convoIds: [convo.id] });
  const { reportId } = await member.ok("reportMember", { convoId: convo.id, reportedDid: victim.did, category: "spam", encryptedContent: { $bytes: base64(randomBytes(20)) } });
  const { inviteId } = await admin.ok("createInvite", { convoId: convo.id, pskHash: randomBytes(32).toString("hex") });
  return { convo, people: { ...people, welcome: base64(welcomeFor([made.ref])), addition: id, report: reportId, invite: inviteId } };
}

const freshKeyPackage = async (caller) => ({
  keyPackage: base64((await keyPackage({ identity: caller.device ? `${caller.did}#${caller.device}` : caller.did })).bytes), cipherSuite: suite1 });

/** What each row sends. `convo` may be one that does not exist. */
const inputs = {
  "createConvo": () => ({ groupId: randomBytes(16).toString("hex"), cipherSuite: suite1, idempotencyKey: randomUUID() }),
  "addMembers": (convo, caller, { newcomer }) => convo.commit({ didList: [newcomer.did] }),
  "addMembers (a commit only)": (convo) => convo.commit({ didList: [] }),
  "removeMember": (convo, caller, { victim }) => convo.commit({ targetDid: victim.did }),
  "removeMember (oneself)": (convo, caller) => convo.commit({ targetDid: caller.did }),
  "leaveConvo": (convo) => convo.commit(),
  "leaveConvo (for another)": (convo, caller, { victim }) => convo.commit({ targetDid: victim.did }),
  "processExternalCommit": async (convo, caller) => ({ convoId: convo.id, externalCommit: base64(await externalCommit({ ...convo.where, identity: caller.did })) }),
  "updateGroupInfo": async (convo) => ({ convoId: convo.id, groupInfo: base64(await convo.groupInfo()), epoch: convo.epoch }),
  "getGroupInfo": (convo) => ({ convoId: convo.id }),
  "getConvos": () => ({}),
  "getEpoch": (convo) => ({ convoId: convo.id }),
  "getCommits": (convo) => ({ convoId: convo.id, fromEpoch: 0 }),
  "sendMessage": (convo) => convo.message(),
  "sendMessage (a proposal)": (convo) => {
    const bytes = bareMessage({ ...convo.where, type: "proposal", bytes: 600 });
    return convo.message({ ciphertext: { $bytes: base64(bytes) }, paddedSize: bytes.length });
  },
  "getMessages": (convo) => ({ convoId: convo.id }),
  "updateCursor": (convo) => ({ convoId: convo.id, cursor: "1" }),
  "getWelcome": (convo) => ({ convoId: convo.id }),
  "confirmWelcome": (convo) => ({ convoId: convo.id, success: true }),
  "publishKeyPackage": (convo, caller) => freshKeyPackage(caller),
  "publishKeyPackages": async (convo, caller) => ({ keyPackages: [await freshKeyPackage(caller)] }),
  "getKeyPackages": (convo, caller, { victim }) => ({ dids: [victim.did] }),
  "getKeyPackageStats": (convo, caller, { victim }) => ({ did: victim.did }),
  "registerDevice": async () => ({ deviceName: "new", keyPackages: [], signaturePublicKey: { $bytes: base64((await newSigner()).publicKey) } }),
  "listDevices": () => ({}),
  "deleteDevice": () => ({ deviceId: "unknown" }),
  "validateDeviceState": () => ({}),
  "registerDeviceToken": () => ({ deviceId: "unknown", pushToken: "token" }),
  "unregisterDeviceToken": () => ({ deviceId: "unknown" }),
  "getPendingDeviceAdditions": (convo) => ({ convoIds: [convo.id] }),
  "claimPendingDeviceAddition": (convo, caller, { addition }) => ({ pendingAdditionId: addition ?? randomUUID() }),
  "completePendingDeviceAddition": (convo, caller, { addition }) => ({ pendingAdditionId: addition ?? randomUUID(), newEpoch: 1 }),
  "getKeyPackageHistory": () => ({}),
  "getKeyPackageStatus": () => ({}),
  "syncKeyPackages": (convo, caller) => ({ localHashes: [], deviceId: caller.device ?? "phone" }),
  "optIn": () => ({}),
  "optOut": () => ({}),
  "getOptInStatus": (convo, caller, { victim }) => ({ dids: [victim.did] }),
  "validateWelcome": (convo, caller, { welcome }) => ({ welcomeMessage: { $bytes: welcome ?? base64(welcomeFor(["ab".repeat(32)])) } }),
  "invalidateWelcome": (convo) => ({ convoId: convo.id, reason: "no key" }),
  "getExpectedConversations": () => ({}),
  "sendChatRequest": (convo, caller, { member }) => ({ recipientDid: (member ?? caller).did }),
  "acceptChatRequest": () => ({ requestId: "unknown" }),
  "declineChatRequest": () => ({ requestId: "unknown" }),
  "blockChatSender": (convo, caller, { victim }) => ({ senderDid: victim.did }),
  "listChatRequests": () => ({}),
  "getRequestCount": () => ({}),
  "getChatRequestSettings": () => ({}),
  "updateChatRequestSettings": () => ({ autoExpireDays: 3 }),
  "promoteAdmin": (convo, caller, { victim }) => ({ convoId: convo.id, targetDid: victim.did }),
  "demoteAdmin": (convo, caller, { victim }) => ({ convoId: convo.id, targetDid: victim.did }),
  "demoteAdmin (oneself)": (convo, caller) => ({ convoId: convo.id, targetDid: caller.did }),
  "promoteModerator": (convo, caller, { victim }) => ({ convoId: convo.id, targetDid: victim.did }),
  "demoteModerator": (convo, caller, { victim }) => ({ convoId: convo.id, targetDid: victim.did }),
  "warnMember": (convo, caller, { victim }) => ({ convoId: convo.id, memberDid: victim.did, reason: "rude" }),
  "getPolicy": (convo) => ({ convoId: convo.id }),
  "updatePolicy": (convo) => ({ convoId: convo.id, maxMembers: 50 }),
  "reportMember": (convo, caller, { victim }) => ({ convoId: convo.id, reportedDid: victim === caller ? "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa" : victim.did, category: "spam", encryptedContent: { $bytes: "AAAA" } }),
  "getReports": (convo) => ({ convoId: convo.id }),
  "getAdminStats": (convo) => ({ convoId: convo.id }),
  "getBlockStatus": (convo) => ({ convoId: convo.id }),
  "checkBlocks": (convo, caller) => ({ dids: [caller.did, "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"] }),
  "handleBlockChange": (convo, caller) => ({ blockerDid: caller.did, blockedDid: "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa", action: "removed" }),
  "handleBlockChange (another's)": () => ({ blockerDid: "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa", blockedDid: "did:plc:bbbbbbbbbbbbbbbbbbbbbbbb", action: "removed" }),
  "resolveReport": (convo, caller, { report }) => ({ reportId: report ?? "unknown", action: "no_action" }),
  "createInvite": (convo) => ({ convoId: convo.id, pskHash: randomBytes(32).toString("hex") }),
  "revokeInvite": (convo, caller, { invite }) => ({ inviteId: invite ?? "unknown" }),
  "listInvites": (convo) => ({ convoId: convo.id }),
  "groupInfoRefresh": (convo) => ({ convoId: convo.id }),
  "readdition": (convo) => ({ convoId: convo.id }),
  "rejoin": async (convo, caller) => ({ convoId: convo.id, keyPackage: (await freshKeyPackage(caller)).keyPackage }),
  "sendMessage (ephemeral)": (convo) => convo.message({ delivery: "ephemeral", epoch: 0 }),
  "getSubscriptionTicket": (convo) => ({ convoId: convo.id }),
  "getSubscriptionTicket (all)": () => ({}),
  "subscribeConvoEvents (no ticket)": () => ({}),  // with one: api_sockets.test.mjs
  "streamConvoEvents": (convo) => ({ convoId: convo.id }),
  "streamConvoEvents (all)": () => ({}),
};

const methodOf = (row) => row.split(" ")[0];

/** One call, of a stream too: "200", or "403 NotMember", and what it said. */
async function call(world, row, token, input) {
  const method = methodOf(row);
  const query = isQuery(method) ? `?${queryOf(input)}` : "";
  const abort = new AbortController();
  const response = await fetch(`${world.server.url}/xrpc/${prefix}${method}${query}`, {
    method: isQuery(method) ? "GET" : "POST", signal: AbortSignal.any([abort.signal, AbortSignal.timeout(60_000)]),
    headers: { ...(token ? { authorization: `Bearer ${token}` } : {}), ...(isQuery(method) ? {} : { "content-type": "application/json" }) },
    ...(isQuery(method) ? {} : { body: JSON.stringify(input) }),
  });
  if (response.headers.get("content-type").startsWith("text/event-stream")) {
    abort.abort();
    return { seen: String(response.status), text: "" };
  }
  const text = await response.text();
  return { seen: response.ok ? String(response.status) : `${response.status} ${JSON.parse(text).error}`, text, retry: response.status === 503 };
}

const tokenOf = { "no token": () => undefined, "wrong lxm": (row, { admin }) => admin.identity.token(`${prefix}${methodOf(row) === "getEpoch" ? "getConvos" : "getEpoch"}`) };
const callerOf = (principal, people) => ({ "no token": people.admin, "wrong lxm": people.admin })[principal] ?? people[principal];

/** Answers a cell, and again with a fresh token while a restart's 503 may be in the way. */
async function answerOf(world, row, principal, { convo, people }) {
  const caller = callerOf(principal, people);
  const input = await inputs[row](convo, caller, people);
  for (;;) {
    const token = await (tokenOf[principal] ?? (() => caller.identity.token(prefix + methodOf(row))))(row, people);
    const answer = await call(world, row, token && world.secret(token), input);
    if (!answer.retry) return answer;
    await new Promise((resume) => setTimeout(resume, 200));
  }
}

for (const [mode, environment] of modes) {
  test(`the access matrix (${mode})`, async (t) => {
    const world = await World.start(environment);
    t.after(() => world.end());
    let scene, cells = 0;
    for (const [row, ...expected] of rows) {
      assert.ok(inputs[row], `access.test.mjs has no request for ${row}`);
      await t.test(row, async () => {
        for (const [at, principal] of principals.entries()) {
          scene ??= await newScene(world);
          const before = contentHash(world.server);
          const { seen, text } = await answerOf(world, row, principal, scene);
          const [status, word] = expected[at].split(" ");
          assert.equal(seen, status === "200" ? status : expected[at], `${row}, ${principal}: ${text.slice(0, 200)}`);
          if (word === "blind") assert.doesNotMatch(text, new RegExp(scene.convo.id), `${row}, ${principal}`);
          if (status !== "200" || word === "again") assert.equal(contentHash(world.server), before, `${row}, ${principal}: nothing was written`);
          if (row === "confirmWelcome" && ["admin", "device"].includes(principal)) await scene.people.member.ok("getWelcome", { convoId: scene.convo.id });
          if (status === "200" && !isQuery(methodOf(row))) scene = undefined;
          cells += 1;
        }
      });
    }
    t.diagnostic(`${cells} cells`);
    assert.equal(cells, rows.length * 7);
  });

  test(`to a stranger, no conversation is as one of others (${mode})`, async (t) => {
    const world = await World.start(environment);
    t.after(() => world.end());
    const scene = await newScene(world);
    const nowhere = { convo: new Convo(randomBytes(16), scene.convo.epoch), people: scene.people };
    let compared = 0;
    for (const [row, ...expected] of rows) {
      if (!expected[principals.indexOf("stranger")].startsWith("403")) continue;
      const [real, none] = [await answerOf(world, row, "stranger", scene), await answerOf(world, row, "stranger", nowhere)];
      assert.deepEqual(none, real, row);
      compared += 1;
    }
    t.diagnostic(`${compared} methods compared`);
    assert.ok(compared >= 16);
  });

  test(`every route has its rate limit (${mode})`, async (t) => {
    const classes = ["SEND_MESSAGE", "GET_MESSAGES", "READ_STATE", "PUBLISH_KEY_PACKAGE", "CLAIM_KEY_PACKAGE", "ADD_MEMBERS", "CREATE_CONVO", "REGISTER_DEVICE", "SYNC_KEY_PACKAGES", "REPORT_MEMBER", "CHECK_BLOCKS", "DID_DEFAULT"];
    const world = await World.start({ ...environment, ...Object.fromEntries(classes.map((name) => [`RATE_LIMIT_${name}`, "1"])) });
    t.after(() => world.end());
    const nowhere = new Convo(randomBytes(16));
    for (const row of Object.keys(inputs).filter((name) => !name.includes("("))) {
      const caller = await world.user("caller");
      const people = { victim: caller, newcomer: caller, stranger: caller };
      const [first, second] = [await answerOf(world, row, "stranger", { convo: nowhere, people }), await answerOf(world, row, "stranger", { convo: nowhere, people })];
      assert.doesNotMatch(first.seen, /^429|^401/, row);
      assert.equal(second.seen, "429 RateLimitExceeded", row);
    }
  });
}

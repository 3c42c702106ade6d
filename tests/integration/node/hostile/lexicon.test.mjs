// SPDX-License-Identifier: MIT
// Every input of every lexicon, mutated field by field. What the lexicon does not allow is refused with
// 4xx in the form of XRPC and leaves nothing; what it allows is never answered with 5xx.
import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { test } from "node:test";
import { DataServer } from "../lib/data_server.mjs";
import { modes, withoutEffect } from "../lib/hostile.mjs";
import { externalCommit, keyPackage, newSigner, welcomeFor } from "../lib/handmade.mjs";
import { lexicons } from "../lib/xrpc.mjs";
import { Convo, World, base64, prefix, suite1 } from "../lib/world.mjs";
import { fieldsOf, isDeclared, parameterValues, replaced, valuesFor, wholeBodies } from "./lexicon_vectors.mjs";

const postMutationsMin = 3000;
const queryMutationsMin = 300;

/** Fields this server does not read, or reads from older clients in another form: what stands there is as good as an unknown field. */
const unread = {
  confirmWelcome: ["errorDetails"],
  createConvo: ["metadata.description"],
  publishKeyPackage: ["idempotencyKey"],
  publishKeyPackages: ["keyPackages.0.idempotencyKey"],
  removeMember: ["reason"],
};

/** Required by the lexicon, and optional for the clients before it (contract: older forms are still accepted). */
const mayBeMissing = { sendMessage: ["paddedSize"], updateGroupInfo: ["epoch"], registerDevice: ["keyPackages", "keyPackages.expires"], syncKeyPackages: ["localHashes"] };
const blobFields = /^(commit|externalCommit|welcomeMessage|welcomeData|groupInfo|keyPackage|ciphertext|ephPubKey)$/;

/** More than the lexicon says, and meant so: the names of the values. */
const alsoTaken = {
  sendMessage: ["idempotencyKey 37 characters"],  // 128 everywhere (core/limits.hpp)
  removeMember: ["targetDids an empty list"],     // beside a targetDid, which alone is the older form
};

/** True where this server takes more than the lexicon allows, on purpose. */
function isLenient(method, path, what, required) {
  const name = path.filter((part) => part !== 0).join(".");
  if ((unread[method] ?? []).includes(path.join(".")) || (alsoTaken[method] ?? []).includes(`${name} ${what}`)) return true;
  if (["null", "missing"].includes(what)) return !required || (mayBeMissing[method] ?? []).includes(name);  // null means absent
  return blobFields.test(String(path.at(-1))) && /^\$bytes|^an empty text/.test(what);  // either form of bytes; none of an optional one
}

const ahead = async (convo) => base64(await convo.groupInfo(convo.epoch + 1));

async function people(world) {
  const [alice, bob, carol, dave] = await world.users("alice", "bob", "carol", "dave");
  return { alice, bob, carol, dave };
}

async function group(world) {
  const who = await people(world);
  world.named = new Map(Object.values(who).map((user) => [user.did, user]));
  return { ...who, convo: await Convo.create(who.alice, [who.bob, who.carol]) };
}

/** A key package of `owner`, reserved to `asker`: { ref, hash }. */
async function reserved(owner, asker) {
  const made = await owner.publish();
  const { keyPackages } = await asker.ok("getKeyPackages", { dids: [owner.did] });
  return { ref: made.ref, entry: { did: owner.did, hash: keyPackages.at(-1).keyPackageHash } };
}

const newPackage = async (user) => base64((await keyPackage({ identity: user.did })).bytes);
const inAMonth = () => new Date(Date.now() + 20 * 86_400_000).toISOString();

async function register(user) {
  const signer = await newSigner();
  return (await user.ok("registerDevice", { deviceName: "phone", keyPackages: [], signaturePublicKey: { $bytes: base64(signer.publicKey) } })).deviceId;
}

async function registered(world) {
  const { alice } = await people(world);
  return { caller: alice, deviceId: await register(alice) };
}

/** A device that waits to be added: { caller, id }. */
async function waiting(world) {
  const { alice, bob } = await group(world);
  await register(bob);
  const { pendingAdditions: [{ id }] } = await alice.ok("getPendingDeviceAdditions");
  return { caller: alice, id };
}

/** A chat request to the caller. */
async function requested(world) {
  const { alice, bob } = await people(world);
  await bob.ok("optIn", {});
  const { requestId } = await alice.ok("sendChatRequest", { recipientDid: bob.did });
  return { caller: bob, requestId, sender: alice };
}

/** A request of every method with every field of its lexicon, which is accepted as it is: { caller, base }. */
const requests = {
  async createConvo(world) {
    const { alice, bob } = await people(world);
    const { ref, entry } = await reserved(bob, alice);
    const convo = new Convo(randomBytes(16), 1);
    return { caller: alice, base: { groupId: convo.id, idempotencyKey: randomUUID(), cipherSuite: suite1, initialMembers: [bob.did], welcomeMessage: base64(welcomeFor([ref])), keyPackageHashes: [entry],
      metadata: { name: "a name", description: "what it is about" }, currentEpoch: 1, groupInfo: base64(await convo.groupInfo()) } };
  },
  async addMembers(world) {
    const { alice, dave, convo } = await group(world);
    const { ref, entry } = await reserved(dave, alice);
    return { caller: alice, base: convo.commit({ didList: [dave.did], welcomeMessage: base64(welcomeFor([ref])), keyPackageHashes: [entry], groupInfo: await ahead(convo) }) };
  },
  async removeMember(world) {
    const { alice, bob, carol, convo } = await group(world);
    return { caller: alice, base: convo.commit({ targetDid: bob.did, targetDids: [carol.did], reason: "why not", groupInfo: await ahead(convo) }) };
  },
  async leaveConvo(world) {
    const { alice, bob, convo } = await group(world);
    return { caller: alice, base: convo.commit({ targetDid: bob.did, groupInfo: await ahead(convo) }) };
  },
  async processExternalCommit(world) {
    const { bob, convo } = await group(world);
    return { caller: bob, base: { convoId: convo.id, externalCommit: base64(await externalCommit({ ...convo.where, identity: bob.did })), idempotencyKey: randomUUID(), groupInfo: await ahead(convo) } };
  },
  async updateGroupInfo(world) {
    const { alice, convo } = await group(world);
    await convo.commitOnly(alice);
    return { caller: alice, base: { convoId: convo.id, groupInfo: base64(await convo.groupInfo()), epoch: convo.epoch } };
  },
  async sendMessage(world) {
    const { alice, convo } = await group(world);
    return { caller: alice, base: convo.message({ idempotencyKey: randomUUID(), delivery: "persistent" }) };
  },
  async updateCursor(world) {
    const { alice, bob, convo } = await group(world);
    await convo.send(bob);
    await convo.send(bob);
    return { caller: alice, base: { convoId: convo.id, cursor: "2" } };
  },
  async confirmWelcome(world) {
    const { alice, dave, convo } = await group(world);
    const { ref } = await reserved(dave, alice);
    await convo.add(alice, [dave], { welcomeMessage: base64(welcomeFor([ref])) });
    return { caller: dave, base: { convoId: convo.id, success: true, errorDetails: "none", deviceId: "phone" } };
  },
  async publishKeyPackage(world) {
    const { alice } = await people(world);
    return { caller: alice, base: { keyPackage: await newPackage(alice), idempotencyKey: randomUUID(), cipherSuite: suite1, expires: inAMonth(), deviceId: "phone" } };
  },
  async registerDevice(world) {
    const { alice } = await people(world);
    const signer = await newSigner();
    const made = await keyPackage({ identity: alice.did, signer });
    return { caller: alice, base: { deviceName: "phone", deviceUUID: randomUUID(), keyPackages: [{ keyPackage: base64(made.bytes), cipherSuite: suite1, expires: inAMonth() }], signaturePublicKey: { $bytes: base64(signer.publicKey) } } };
  },
  async deleteDevice(world) {
    const { caller, deviceId } = await registered(world);
    return { caller, base: { deviceId } };
  },
  async registerDeviceToken(world) {
    const { caller, deviceId } = await registered(world);
    return { caller, base: { deviceId, pushToken: "a token of the platform", deviceName: "phone", platform: "ios" } };
  },
  async unregisterDeviceToken(world) {
    const { caller, deviceId } = await registered(world);
    return { caller, base: { deviceId } };
  },
  async claimPendingDeviceAddition(world) {
    const { caller, id } = await waiting(world);
    return { caller, base: { pendingAdditionId: id } };
  },
  async completePendingDeviceAddition(world) {
    const { caller, id } = await waiting(world);
    await caller.ok("claimPendingDeviceAddition", { pendingAdditionId: id });
    return { caller, base: { pendingAdditionId: id, newEpoch: 1 } };
  },
  async syncKeyPackages(world) {
    const { alice } = await people(world);
    return { caller: alice, base: { localHashes: ["ab".repeat(32)], deviceId: "phone" } };
  },
  async optIn(world) {
    const { alice } = await people(world);
    await alice.ok("optIn", {});  // once more changes nothing
    return { caller: alice, base: { deviceId: "phone" } };
  },
  async optOut(world) {
    const { alice } = await people(world);
    return { caller: alice, base: {} };
  },
  async validateWelcome(world) {
    const { alice, bob } = await people(world);
    const { ref } = await reserved(bob, alice);
    return { caller: bob, base: { welcomeMessage: { $bytes: base64(welcomeFor([ref])) } } };
  },
  async invalidateWelcome(world) {
    const { alice, dave, convo } = await group(world);
    const { ref } = await reserved(dave, alice);
    await convo.add(alice, [dave], { welcomeMessage: base64(welcomeFor([ref])) });
    return { caller: dave, base: { convoId: convo.id, reason: "no key", deviceId: "phone" } };
  },
  async sendChatRequest(world) {
    const { alice, bob, convo } = await group(world);
    await bob.ok("optIn", {});
    return { caller: alice, base: { recipientDid: bob.did, previewText: "hello", isGroupInvite: true, groupId: convo.id,
      heldMessages: [{ ciphertext: { $bytes: base64(randomBytes(512)) }, paddedSize: 512, ephPubKey: { $bytes: base64(randomBytes(32)) } }] } };
  },
  async acceptChatRequest(world) {
    const { caller, requestId } = await requested(world);
    return { caller, base: { requestId } };
  },
  async declineChatRequest(world) {
    const { caller, requestId } = await requested(world);
    return { caller, base: { requestId, reportReason: "spam", reportDetails: "why" } };
  },
  async blockChatSender(world) {
    const { caller, requestId, sender } = await requested(world);
    return { caller, base: { senderDid: sender.did, requestId, reason: "other" } };
  },
  async promoteAdmin(world) {
    const { alice, bob, convo } = await group(world);
    return { caller: alice, base: { convoId: convo.id, targetDid: bob.did, idempotencyKey: randomUUID() } };
  },
  async demoteAdmin(world) {
    const { alice, bob, convo } = await group(world);
    await alice.ok("promoteAdmin", { convoId: convo.id, targetDid: bob.did });
    return { caller: alice, base: { convoId: convo.id, targetDid: bob.did, idempotencyKey: randomUUID() } };
  },
  async promoteModerator(world) {
    const { alice, bob, convo } = await group(world);
    return { caller: alice, base: { convoId: convo.id, targetDid: bob.did, idempotencyKey: randomUUID() } };
  },
  async demoteModerator(world) {
    const { alice, bob, convo } = await group(world);
    await alice.ok("promoteModerator", { convoId: convo.id, targetDid: bob.did });
    return { caller: alice, base: { convoId: convo.id, targetDid: bob.did, idempotencyKey: randomUUID() } };
  },
  async warnMember(world) {
    const { alice, bob, convo } = await group(world);
    return { caller: alice, base: { convoId: convo.id, memberDid: bob.did, reason: "rude", expiresAt: inAMonth(), idempotencyKey: randomUUID() } };
  },
  async updatePolicy(world) {
    const { alice, convo } = await group(world);
    return { caller: alice, base: { convoId: convo.id, allowInvites: true, adminOnlyInvites: true, allowMemberAdd: true, allowMemberRemove: true, requireAdminApproval: true, maxMembers: 50, idempotencyKey: randomUUID() } };
  },
  async reportMember(world) {
    const { alice, bob, convo } = await group(world);
    return { caller: bob, base: { convoId: convo.id, reportedDid: alice.did, category: "spam", encryptedContent: { $bytes: base64(randomBytes(100)) }, messageIds: ["01JDB4H5T6Q7W8E9R0T1Y2V3M2"] } };
  },
  async resolveReport(world) {
    const { caller, base } = await requests.reportMember(world);
    const { reportId } = await caller.ok("reportMember", base);
    const admin = world.named.get(base.reportedDid);
    return { caller: admin, base: { reportId, action: "dismissed", notes: "nothing there" } };
  },
  async handleBlockChange(world) {
    const { alice, bob } = await group(world);
    const pds = await DataServer.start();
    pds.host(world.directory, alice);
    return { caller: alice, base: { blockerDid: alice.did, blockedDid: bob.did, action: "created", blockUri: pds.block(alice, bob) } };
  },
  async createInvite(world) {
    const { alice, bob, convo } = await group(world);
    return { caller: alice, base: { convoId: convo.id, pskHash: "ab".repeat(32), targetDid: bob.did, expiresAt: inAMonth(), maxUses: 3 } };
  },
  async revokeInvite(world) {
    const { caller, base } = await requests.createInvite(world);
    const { inviteId } = await caller.ok("createInvite", base);
    return { caller, base: { inviteId } };
  },
  async groupInfoRefresh(world) {
    const { bob, convo } = await group(world);
    return { caller: bob, base: { convoId: convo.id, idempotencyKey: randomUUID() } };
  },
  async readdition(world) {
    const { bob, convo } = await group(world);
    return { caller: bob, base: { convoId: convo.id, idempotencyKey: randomUUID() } };
  },
  async rejoin(world) {
    const { bob, convo } = await group(world);
    return { caller: bob, base: { convoId: convo.id, keyPackage: await newPackage(bob), reason: "lost", idempotencyKey: randomUUID() } };
  },
  async getSubscriptionTicket(world) {
    const { alice, convo } = await group(world);
    return { caller: alice, base: { convoId: convo.id } };
  },
  async updateChatRequestSettings(world) {
    const { alice } = await people(world);
    return { caller: alice, base: { allowFollowersBypass: true, allowFollowingBypass: true, autoExpireDays: 3 } };
  },
  async publishKeyPackages(world) {
    const { alice } = await people(world);
    return { caller: alice, base: { keyPackages: [{ keyPackage: await newPackage(alice), cipherSuite: suite1, expires: inAMonth(), idempotencyKey: randomUUID(), deviceId: "phone" }], deviceId: "phone" } };
  },
};

async function send(world, caller, method, { body, query = "" }) {
  for (;;) {
    const token = world.secret(await caller.identity.token(prefix + method));
    const abort = new AbortController();
    const response = await fetch(`${world.server.url}/xrpc/${prefix}${method}${query}`, {
      method: body === undefined ? "GET" : "POST", signal: AbortSignal.any([abort.signal, AbortSignal.timeout(60_000)]),
      headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { "content-type": "application/json" }) }, ...(body === undefined ? {} : { body: Buffer.from(body, "latin1") }),
    });
    if (response.headers.get("content-type").startsWith("text/event-stream")) {
      abort.abort();
      return { status: response.status, text: "{}" };
    }
    const answer = { status: response.status, text: await response.text() };
    if (answer.status !== 503) return answer;
    await new Promise((resume) => setTimeout(resume, 200));  // a token from the second of the start
  }
}

/** Nothing for an answer that may be; else what is wrong with it. */
function complaint(method, what, { status, text }, mustRefuse) {
  const body = JSON.parse(text);
  const shown = `${method}, ${what}: ${status} ${text.slice(0, 160)}`;
  if (status >= 500) return shown;
  if (status >= 400 && (typeof body.error !== "string" || typeof body.message !== "string" || body.message === "")) return `no XRPC error: ${shown}`;
  if (status >= 400 && /DROP TABLE|jndi|passwd|%n/.test(text)) return `it repeats what it was sent: ${shown}`;
  // A batch answers for each item; then none was taken.
  if (mustRefuse && status === 200 && !(method === "publishKeyPackages" && body.succeeded === 0)) return `accepted: ${shown}`;
  return undefined;
}

const isRequired = (method, path) => {
  let at = lexicons.getDefOrThrow(prefix + method).input?.schema ?? {};
  for (const name of path.slice(0, -1)) {
    at = name === 0 ? at.items : at.properties[name];
    if (at.type === "ref") at = lexicons.getDefOrThrow(at.ref.startsWith("#") ? prefix + method + at.ref : at.ref);
  }
  return path.at(-1) !== 0 && (at.required ?? []).includes(path.at(-1));
};

/** [what, text, mustRefuse] of one field, or of the body as a whole. */
function mutationsOf(method, base, path, schema) {
  // optOut has no input: no body is its normal form.
  if (!path) return [...wholeBodies(base)].map(([what, text, refused]) => [what, text, refused && !(method === "optOut" && text === "")]);
  const value = path.reduce((at, name) => at?.[name], base);
  return [...valuesFor(path, schema, value)].map(([what, raw, always]) => {
    const text = replaced(base, path, raw);
    return [`${path.join(".")} ${what}`, text, always ? true : !isDeclared(method, text) && !isLenient(method, path, what, isRequired(method, path))];
  });
}

// The gateways differ behind the inputs, not before; one mode is enough.
const [[mode, environment]] = modes;

test(`inputs mutated field by field (${mode})`, async (t) => {
  const world = await World.start(environment);
  t.after(() => world.end());
  let [refused, allowed] = [0, 0];
  for (const [method, make] of Object.entries(requests)) {
    await t.test(method, async () => {
      let request = await make(world);
      const { schema } = lexicons.getDefOrThrow(prefix + method).input ?? { schema: { type: "object" } };  // optOut has none
      const wrong = [];
      for (const [path, inner] of [[undefined, schema], ...fieldsOf(prefix + method, schema, request.base)]) {
        const { caller, base } = request;
        const mutations = mutationsOf(method, base, path, inner);
        await withoutEffect(world, async () => {
          for (const [what, body] of mutations.filter(([, , mustRefuse]) => mustRefuse)) {
            wrong.push(complaint(method, what, await send(world, caller, method, { body }), true));
            refused += 1;
          }
          assert.deepEqual(wrong.filter(Boolean), []);
        });
        for (const index of mutations.keys()) {
          if (mutations[index][2]) continue;
          const [what, body] = mutationsOf(method, request.base, path, inner)[index];
          const answer = await send(world, request.caller, method, { body });
          wrong.push(complaint(method, what, answer, false));
          if (answer.status === 200) request = await make(world);
          allowed += 1;
        }
      }
      assert.deepEqual(wrong.filter(Boolean), []);
      const good = await send(world, request.caller, method, { body: Buffer.from(JSON.stringify(request.base)).toString("latin1") });
      assert.equal(good.status, 200, `as it is, it is accepted: ${good.text}`);
    });
  }
  t.diagnostic(`${refused} mutations refused, ${allowed} that the lexicon allows answered below 500`);
  assert.ok(refused + allowed >= postMutationsMin, `${refused + allowed}`);
  const posts = [...lexicons].filter(({ id, defs }) => id.startsWith(prefix) && defs.main?.type === "procedure").map(({ id }) => id.slice(prefix.length));
  assert.deepEqual(Object.keys(requests).sort(), posts.sort(), "every method with an input");
});

test(`parameters mutated one by one (${mode})`, async (t) => {
  const world = await World.start(environment);
  t.after(() => world.end());
  const { alice, bob, convo } = await group(world);
  await convo.send(bob);
  const good = { convoId: convo.id, fromEpoch: "0", toEpoch: "5", dids: bob.did, did: bob.did, cipherSuite: suite1, limit: "10", sinceSeq: "0", deviceId: "phone" };
  let count = 0;
  for (const { id, defs } of lexicons) {
    if (!id.startsWith(prefix) || defs.main?.type !== "query") continue;
    const method = id.slice(prefix.length);
    const { properties = {}, required = [] } = defs.main.parameters ?? {};
    const wrong = [];
    for (const [name, schema] of Object.entries(properties)) {
      const others = Object.keys(properties).filter((other) => other !== name && good[other]).map((other) => `${other}=${encodeURIComponent(good[other])}`);
      const ask = async (what, more, mustRefuse) => {
        wrong.push(complaint(method, `${name} ${what}`, await send(world, alice, method, { query: `?${[...others, ...more].join("&")}` }), mustRefuse));
        count += 1;
      };
      const values = [...parameterValues(schema, required.includes(name))];
      await withoutEffect(world, async () => {
        for (const [what, raw, refused] of values) if (refused) await ask(what, raw === undefined ? [] : [`${name}=${raw}`], true);
        if (schema.maxLength && schema.type === "array") await ask("too many", Array.from({ length: schema.maxLength + 1 }, () => `${name}=${bob.did}`), true);
        await ask("600 times", Array.from({ length: 600 }, () => `${name}=x`), true);
      });
      for (const [what, raw, refused] of values) if (!refused) await ask(what, raw === undefined ? [] : [`${name}=${raw}`], false);
      await ask("and an unknown one", [`${name}=${encodeURIComponent(good[name] ?? "x")}`, "unknown=1"], false);
    }
    assert.deepEqual(wrong.filter(Boolean), []);
  }
  t.diagnostic(`${count} parameters`);
  assert.ok(count >= queryMutationsMin, `${count}`);
});

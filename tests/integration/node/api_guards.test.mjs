// SPDX-License-Identifier: MIT
// Every guard on every route, generated from the endpoint table: hostile requests get a 4xx JSON
// answer and change nothing; and tokens, which are good once, for one method, by one identity.
import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import { createServiceJwt } from "@atproto/xrpc-server";
import { Identity, serviceDid } from "./lib/directory.mjs";
import { Convo, World, isQuery, prefix } from "./lib/world.mjs";

const table = readFileSync(new URL("../../../src/xrpc/endpoint_table.cpp", import.meta.url), "utf8");
const routes = [...table.matchAll(/\{"(blue\.catbird\.mls\.(\w+))", (get|post),/g)]
  .map(([, nsid, method, verb]) => ({ nsid, method, verb: verb.toUpperCase() }));
const posts = routes.filter(({ verb }) => verb === "POST");
const json = { "content-type": "application/json" };

let world, alice, convo, seen;
before(async () => {
  world = await World.start();
  alice = await world.user("alice");
  convo = await Convo.create(alice);
  await convo.send(alice);
  seen = await state();
});
after(() => world?.end());

const state = async () => ({ rows: await alice.rows(convo.id), convos: await alice.ok("getConvos"), stats: await alice.ok("getKeyPackageStats") });
const unchanged = async () => assert.deepEqual(await state(), seen);

async function raw(path, { token, headers = {}, ...init } = {}) {
  const response = await fetch(`${world.server.url}${path}`, {
    ...init, headers: { ...headers, ...(token !== undefined ? { authorization: `Bearer ${token.length < 40 ? token : world.secret(token)}` } : {}) }, signal: AbortSignal.timeout(60_000),
  });
  return { status: response.status, type: response.headers.get("content-type"), text: await response.text(), headers: response.headers };
}

function assertRefusal(answer, statuses, what) {
  assert.ok(statuses.includes(answer.status), `${what}: ${answer.status} ${answer.text.slice(0, 200)}`);
  assert.match(answer.type, /^application\/json/, what);
  const body = JSON.parse(answer.text);
  assert.ok(typeof body.error === "string" && body.error !== "", what);
  assert.ok(typeof body.message === "string" && body.message !== "", what);
  return body;
}

const tokenFor = (nsid) => alice.identity.token(nsid);
const segment = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
async function signed(claims, { header = {}, identity = alice.owner, algorithm = "ES256K" } = {}) {
  const now = Math.floor(Date.now() / 1000);
  const body = { iss: identity.did, aud: serviceDid, lxm: `${prefix}getEpoch`, iat: now, exp: now + 60, jti: randomUUID(), ...claims };
  const text = `${segment({ typ: "JWT", alg: algorithm, ...header })}.${segment(body)}`;
  return `${text}.${Buffer.from(await identity.keypair.sign(Buffer.from(text))).toString("base64url")}`;
}
const getEpoch = (token) => raw(`/xrpc/${prefix}getEpoch?convoId=${convo.id}`, { token });

test("the table has every method whose lexicon we ship, and each has its HTTP method", () => {
  assert.equal(routes.length, 68);
  for (const { method, verb } of routes) assert.equal(isQuery(method), verb === "GET", method);
});

for (const { nsid, method, verb } of routes) {
  const path = `/xrpc/${nsid}`;
  const other = verb === "GET" ? "POST" : "GET";
  const bodyOf = (text) => (verb === "POST" ? { headers: json, body: text } : {});

  test(`${method}: no token, a token for another method, or the wrong HTTP method`, async () => {
    assert.equal(assertRefusal(await raw(path, { method: verb, ...bodyOf("{}") }), [401], "no token").error, "AuthenticationRequired");
    assertRefusal(await raw(path, { method: verb, ...bodyOf("{}"), headers: { ...json, authorization: "Basic YTpi" } }), [401], "no bearer");
    const wrong = await tokenFor(`${prefix}${method === "getEpoch" ? "getConvos" : "getEpoch"}`);
    assertRefusal(await raw(path, { method: verb, ...bodyOf("{}"), token: wrong }), [401], "wrong lxm");
    for (const lxm of [`${nsid}x`, nsid.slice(0, -1), nsid.toUpperCase(), method, "*", ""]) {
      assertRefusal(await raw(path, { method: verb, ...bodyOf("{}"), token: await signed({ lxm }) }), [401], `lxm ${lxm}`);
    }
    const answer = await raw(path, { method: other, token: await tokenFor(nsid), ...(other === "POST" ? { headers: json, body: "{}" } : {}) });
    assertRefusal(answer, [405], other);
    assert.equal(answer.headers.get("allow"), verb);
    for (const verbatim of ["PUT", "DELETE", "PATCH", "OPTIONS"]) {
      assertRefusal(await raw(path, { method: verbatim, token: await tokenFor(nsid) }), [405, 501], verbatim);
    }
    await unchanged();
  });
}

const valid = JSON.stringify({ convoId: "00", msgId: randomUUID(), groupId: "00", epoch: 0 });
const hostile = {
  "nothing at all": "",
  "white space": " \n",
  "no JSON": "hello",
  "half an object": '{"convoId":',
  "an array": "[]",
  "a string": '"{}"',
  "a number": "12",
  "null": "null",
  "two objects": "{}{}",
  "an object and more": "{} x",
  "deeply nested arrays": `{"convoId":${"[".repeat(5000)}${"]".repeat(5000)}}`,
  "deeply nested objects": `${'{"a":'.repeat(40)}1${"}".repeat(40)}`,
  "very deeply nested objects": '{"a":'.repeat(200_000),
  "invalid UTF-8": Buffer.concat([Buffer.from('{"convoId":"'), Buffer.of(0xff, 0xfe, 0xc0, 0x80), Buffer.from('"}')]),
  "a lone surrogate": '{"convoId":"\\ud800"}',
  "a NUL in a string": '{"convoId":"a\\u0000b","success":true,"cursor":"a\\u0000","groupId":"a\\u0000","cipherSuite":"\\u0000","msgId":"\\u0000","keyPackages":["\\u0000"],"keyPackage":"\\u0000"}',
  "a raw NUL": Buffer.from('{"convoId":"a\0b"}'),
  "a byte order mark": `\ufeff${valid}`,
  "a comment": `/* */${valid}`,
  "a trailing comma": '{"convoId":"00",}',
  "single quotes": "{'convoId':'00'}",
  "numbers for strings": '{"convoId":1,"groupId":1,"keyPackage":1,"keyPackages":1}',
  "objects for strings": '{"convoId":{},"groupId":{},"keyPackage":{},"keyPackages":{}}',
  "arrays for strings": '{"convoId":[],"groupId":[],"keyPackage":[],"keyPackages":[1,2]}',
  "a very long convoId": JSON.stringify({ convoId: "x".repeat(100_000), groupId: "ab".repeat(50_000), keyPackages: [] }),
  "numbers beyond 64 bits": '{"convoId":"00","groupId":"00","epoch":99999999999999999999999999,"currentEpoch":1e400,"keyPackages":[]}',
};

// Methods that require nothing take any JSON object, and optOut also no body at all.
const requireNothing = ["optIn", "optOut", "updateChatRequestSettings", "getSubscriptionTicket"];
const isObject = (body) => {
  try {
    const value = JSON.parse(body);
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
};
const isTaken = (method, body) => (method === "optOut" && body === "") || (requireNothing.includes(method) && isObject(body));

for (const { nsid, method } of posts) {
  test(`${method}: hostile bodies`, async () => {
    for (const [what, body] of Object.entries(hostile)) {
      if (isTaken(method, body)) continue;
      const answer = await raw(`/xrpc/${nsid}`, { method: "POST", headers: json, body, token: await tokenFor(nsid) });
      assertRefusal(answer, [400, 403], what);
    }
    for (const type of ["text/plain", "application/cbor", "multipart/form-data; boundary=x"]) {
      assertRefusal(await raw(`/xrpc/${nsid}`, { method: "POST", headers: { "content-type": type }, body: valid, token: await tokenFor(nsid) }), [415], type);
    }
    for (const encoding of ["gzip", "deflate", "br"]) {
      assertRefusal(await raw(`/xrpc/${nsid}`, { method: "POST", headers: { ...json, "content-encoding": encoding }, body: randomBytes(50), token: await tokenFor(nsid) }), [400, 415], encoding);
    }
    await unchanged();
  });

  test(`${method}: a body above 16 MiB`, async () => {
    const answer = await raw(`/xrpc/${nsid}`, { method: "POST", headers: json, body: Buffer.alloc(16 * 1024 * 1024 + 1, 0x20), token: await tokenFor(nsid) })
      .catch((error) => error);
    // The server may close before all is sent; then there is no answer to read.
    if (!(answer instanceof Error)) assertRefusal(answer, [413], "too large");
    await unchanged();
  });
}

test("a body announced above 16 MiB is refused before it is sent", async () => {
  const { hostname, port } = new URL(world.server.url);
  for (const { nsid } of posts) {
    const token = await tokenFor(nsid);
    const answer = await new Promise((resolve, reject) => {
      const socket = connect(Number(port), hostname);
      let text = "";
      socket.setEncoding("utf8").on("data", (chunk) => { text += chunk; }).on("end", () => resolve(text)).on("error", reject);
      socket.write(`POST /xrpc/${nsid} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\ncontent-type: application/json\r\ncontent-length: ${16 * 1024 * 1024 + 1}\r\n\r\n`);
    });
    assert.match(answer, /^HTTP\/1\.1 413 [^\r]*\r\n/);
    assert.deepEqual(Object.keys(JSON.parse(answer.slice(answer.indexOf("\r\n\r\n") + 4))).sort(), ["error", "message"]);
  }
});

test("duplicate keys are refused by every method", async () => {
  const twice = JSON.stringify(convo.message()).replace(/^\{/, `{"convoId":"${convo.id}",`);
  const answer = await raw(`/xrpc/${prefix}sendMessage`, { method: "POST", headers: json, body: twice, token: await tokenFor(`${prefix}sendMessage`) });
  seen = await state();
  assertRefusal(answer, [400], "duplicate keys");
});

// Methods that require no parameter: well-formed values of others' parameters mean nothing to them.
const askNothing = ["listDevices", "validateDeviceState", "getPendingDeviceAdditions", "getExpectedConversations", "listChatRequests", "getRequestCount", "getChatRequestSettings"];

for (const { nsid, method } of routes.filter(({ verb }) => verb === "GET")) {
  test(`${method}: hostile queries`, async () => {
    const queries = ["convoId=%", "convoId=%zz", "convoId=%ff%fe", "convoId=%00&limit=%00&did=%00&dids=%00&cursor=%00&fromEpoch=%00", `convoId=${"x".repeat(6000)}&cursor=!&did=x&dids=x`,
      `${"a=1&".repeat(600)}convoId=00`, "convoId=00&limit=-1&cursor=%21&did=x&dids=x&fromEpoch=-1"];
    for (const query of queries) {
      const answer = await raw(`/xrpc/${nsid}?${query}`, { token: await tokenFor(nsid) });
      const wellFormed = query.includes("did=x");
      if (wellFormed && askNothing.includes(method) && answer.status === 200) continue;
      // The socket asks for its ticket before anything else.
      assertRefusal(answer, method === "subscribeConvoEvents" ? [400, 401, 414, 431] : [400, 403, 414, 431], query.slice(0, 60));
    }
    await unchanged();
  });
}

test("an unknown NSID is 501, anything else that is not there 404", async () => {
  for (const nsid of [`${prefix}getEverything`, `${prefix}createconvo`, `${prefix}getEpoch/`, "com.atproto.repo.getRecord", "blue.catbird.mlsChat.getConvos", "x", ""]) {
    for (const method of ["GET", "POST"]) {
      assert.equal(assertRefusal(await raw(`/xrpc/${nsid}`, { method, ...(method === "POST" ? { headers: json, body: "{}" } : {}) }), [501], nsid).error, "MethodNotImplemented");
    }
  }
  for (const path of ["/", "/xrpc", "/metrics/", "/health/", "//health", "/.well-known/", "/admin", "/%2e%2e/etc/passwd"]) {
    assertRefusal(await raw(path), [400, 404], path);
  }
});

test("aud names this server with or without its service, iss a user with or without a device", async () => {
  assert.equal((await getEpoch(await signed({}))).status, 200);
  assert.equal((await getEpoch(await signed({ aud: `${serviceDid}#atproto_mls` }))).status, 200);
  assert.equal((await getEpoch(await signed({ iss: `${alice.did}#device-1` }))).status, 200);
  for (const aud of ["did:web:other.test", `${serviceDid}#other`, `${serviceDid}#`, `${serviceDid}.evil.test`, "", [serviceDid], undefined, 5]) {
    assertRefusal(await getEpoch(await signed({ aud })), [401], `aud ${JSON.stringify(aud)}`);
  }
});

test("a token is good once, over a restart too, for any of its twins", async () => {
  const token = await signed({});
  assert.equal((await getEpoch(token)).status, 200);
  assertRefusal(await getEpoch(token), [401], "again");
  const jti = randomUUID();
  assert.equal((await getEpoch(await signed({ jti }))).status, 200);
  assertRefusal(await getEpoch(await signed({ jti })), [401], "the same jti in another token");
  await world.restart();
  assertRefusal(await getEpoch(token), [401, 503], "after a restart");
  assert.equal(await alice.epochOf(convo.id), 0);
  const fresh = await signed({});
  const answers = await Promise.all(Array.from({ length: 8 }, () => getEpoch(fresh)));
  assert.equal(answers.filter(({ status }) => status === 200).length, 1);
});

test("forged, expired and eternal tokens are refused", async () => {
  const now = Math.floor(Date.now() / 1000);
  const claims = [{ exp: now - 60 }, { exp: now + 3600 }, { exp: "soon" }, { exp: -1 }, { exp: 2 ** 63 }, { exp: undefined }, { iat: now + 120 }, { nbf: now + 120 },
    { jti: undefined }, { jti: "" }, { jti: 5 }, { lxm: undefined }, { iss: undefined }, { iss: "alice" }, { iss: `${alice.did}#` }, { iss: "did:key:zQ3sh" }, { iss: alice.did.toUpperCase() }];
  for (const claim of claims) assertRefusal(await getEpoch(await signed(claim)), [401], JSON.stringify(claim));
  for (const alg of ["none", "NONE", "HS256", "ES256", "es256k", "EdDSA", ["ES256K"], undefined]) {
    assertRefusal(await getEpoch(await signed({}, { header: { alg } })), [401], `alg ${alg}`);
  }
  assertRefusal(await getEpoch(await signed({}, { header: { crit: ["exp"] } })), [401], "crit");
  const mallory = await Identity.create("mallory");
  assertRefusal(await getEpoch(await signed({}, { identity: mallory })), [401], "unknown issuer");
  assertRefusal(await getEpoch(await signed({ iss: alice.did }, { identity: mallory })), [401], "someone else's key");
  world.directory.add(mallory);
  const bob = await world.user("bob");
  assertRefusal(await getEpoch(await signed({ sub: alice.did }, { identity: bob.owner })), [403], "sub gives no rights");
  const good = await signed({});
  const [header, body, signature] = good.split(".");
  for (const text of [`${header}.${body}.`, `${header}.${body}`, `${header}.${body}.${signature}A`, `${header}..${signature}`, `${body}.${header}.${signature}`, `${good}.x`, `${good} x`, "a.b.c", "", "x".repeat(9000)]) {
    assertRefusal(await getEpoch(text), [400, 401, 431], `token ${text.length}`);
  }
  assert.equal((await getEpoch(good)).status, 200, "nothing of this spoiled the good one");
});

test("a rotated key is accepted at once", async () => {
  const carol = await world.user("carol");
  await carol.ok("getConvos");
  const rotated = new Identity("carol", carol.did, (await Identity.create("carol", "p256")).keypair);
  world.directory.add(rotated);
  const token = await createServiceJwt({ iss: carol.did, aud: serviceDid, lxm: `${prefix}getConvos`, keypair: rotated.keypair });
  assert.equal((await raw(`/xrpc/${prefix}getConvos`, { token })).status, 200);
});

test("a fraction of a second in exp shortens nothing and breaks nothing", async () => {
  const now = Math.floor(Date.now() / 1000);
  const { status } = await getEpoch(await signed({ exp: now + 60.5 }));
  assert.ok([200, 401].includes(status));
  assertRefusal(await getEpoch(await signed({ exp: now - 60.5 })), [401], "expired");
});

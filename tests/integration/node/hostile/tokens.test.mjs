// SPDX-License-Identifier: MIT
// Forged and replayed tokens. All of them go to sendMessage with a message that the server would
// store, so that an accepted one shows as an answer and as a row.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { Identity, serviceDid } from "../lib/directory.mjs";
import { modes, withoutEffect } from "../lib/hostile.mjs";
import { RawConnection } from "../lib/raw_http.mjs";
import { claimsOf, highTwin, hmacToken, nowSeconds, segment, signatureOf, signedToken, withSignature } from "../lib/tokens.mjs";
import { Convo, World, base64, prefix } from "../lib/world.mjs";
import { claims, encodings, headers, publicSecrets, signatures } from "./token_vectors.mjs";

const lxm = `${prefix}sendMessage`;
const jwtSecret = "a secret of the development server, long enough";
const vectorsMin = 200;
let world, alice, bob, convo, counted = 0;

before(async () => {
  // With a secret, so that HS256 is a way in that could be confused with the others.
  world = await World.start({ ...modes[0][1], JWT_SECRET: jwtSecret });
  [alice, bob] = [await world.user("alice", "k256"), await world.user("bob", "p256")];
  convo = await Convo.create(alice, [bob]);
  for (const user of [alice, bob]) await acceptedOf(await freshToken(user));
});
after(() => world?.end());

const freshToken = (user, extra) => signedToken(claimsOf(user.owner, lxm, extra), user.owner.keypair);

function requestBytes(authorization, method = "sendMessage") {
  const body = Buffer.from(JSON.stringify(convo.message()));
  return Buffer.concat([Buffer.from(`POST /xrpc/${prefix}${method} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n`
    + `authorization: ${authorization}\r\n\r\n`, "latin1"), body]);
}

async function statusOn(connection, token, method) {
  world.secret(token.length < 40 ? token.padEnd(60, "~") : token);
  connection.send(requestBytes(`Bearer ${token}`, method));
  const answer = await connection.answer();
  return { status: answer?.status, error: answer && JSON.parse(answer.text).error, text: answer?.text };
}

async function statusOf(token, method) {
  const connection = await RawConnection.open(world.server.url);
  try {
    return await statusOn(connection, token, method);
  } finally {
    connection.close();
  }
}

async function acceptedOf(token) {
  const { status, text } = await statusOf(token);
  assert.equal(status, 200, `a good token is accepted: ${text}`);
}

/** Every vector is refused, and nothing else happens. 503 only where the vector says so. */
async function allRefused(t, vectors, { statuses = [401], least }) {
  await withoutEffect(world, async () => {
    let connection;
    for (const [name, token] of vectors) {
      if (!connection || connection.ended) connection = await RawConnection.open(world.server.url);
      const { status, error } = await statusOn(connection, token);
      assert.ok(statuses.includes(status), `${name}: ${status} ${error}`);
      if (status === 401) assert.equal(error, "AuthenticationRequired", name);
    }
    connection.close();
  });
  assert.ok(vectors.length >= least, `${vectors.length} vectors`);
  counted += vectors.length;
  t.diagnostic(`${vectors.length} tokens refused`);
}

for (const who of ["alice", "bob"]) {
  const user = () => ({ alice, bob })[who];

  test(`${who}: headers that lie about the algorithm, or ask for what is not done`, async (t) => {
    await allRefused(t, await headers(user().owner, lxm), { least: 45 });
    await acceptedOf(await freshToken(user()));
  });

  test(`${who}: HS256 with what is public as the secret`, async (t) => {
    await allRefused(t, publicSecrets(user().owner, lxm), { least: 16 });
    await acceptedOf(hmacToken(claimsOf(user().owner, lxm), jwtSecret));
  });

  test(`${who}: claims that are wrong under a good signature`, async (t) => {
    // 503: a did:web on a loopback port where nobody answers, in development.
    await allRefused(t, await claims(user().owner, lxm), { statuses: [401, 503], least: 110 });
    await acceptedOf(await freshToken(user()));
  });

  test(`${who}: signatures that are none`, async (t) => {
    await allRefused(t, await signatures(user().owner, lxm), { least: 50 });
    await acceptedOf(await freshToken(user()));
  });

  test(`${who}: tokens in another encoding or order`, async (t) => {
    // 400: white space that HTTP does not allow there.
    await allRefused(t, await encodings(user().owner, lxm), { statuses: [400, 401], least: 45 });
    await acceptedOf(await freshToken(user()));
  });
}

test("what the header says about keys never chooses one, nor does any claim but iss choose who acts", async (t) => {
  const mallory = await world.user("mallory");
  const eve = await Identity.create("eve");
  // Mallory's own document names her key for everybody, under every name she can think of.
  const document = mallory.owner.document();
  const [own] = document.verificationMethod;
  document.verificationMethod = [`${alice.did}#atproto`, `${alice.did}#key-1`, `${mallory.did}#atproto_label`, "#atproto2"].map((id) => ({ ...own, id })).concat(own);
  world.directory.serve(mallory.did, (request, response) => response.end(JSON.stringify(document)));
  const point = mallory.owner.keypair.publicKeyBytes();
  const keyNames = [`${mallory.did}#atproto`, mallory.did, `${alice.did}#atproto`, `${alice.did}#key-1`, "#atproto", "0", "", "../../../../etc/passwd", "/dev/null", "' OR '1'='1",
    "x' UNION SELECT 'key", `${world.directory.url}/key`, "\u0000", "$(id)", "x".repeat(2000)];
  const hints = [...keyNames.map((kid) => ({ kid })), { jku: `${world.directory.url}/jwks.json` }, { x5u: `${world.directory.url}/cert.pem` }, { x5c: [base64(point)] },
    { x5t: base64(point) }, { jwk: { kty: "EC", crv: "secp256k1", x: base64(point.subarray(1)), y: base64(point.subarray(1)) } },
    { jwk: { kty: "oct", k: segment("secret") } }, { iss: alice.did }, { epk: {} }, { "$bytes": "" }];
  const vectors = [];
  for (const hint of hints) vectors.push([`alice by mallory, ${JSON.stringify(hint).slice(0, 60)}`, await signedToken(claimsOf(alice.owner, lxm), mallory.owner.keypair, { typ: "JWT", alg: "ES256K", ...hint })]);
  for (const extra of [{}, { sub: mallory.did }, { azp: alice.did }, { iss: `${alice.did}#atproto` }, { iss: `${alice.did}#key-1` }]) {
    vectors.push([`alice by eve ${JSON.stringify(extra)}`, await signedToken(claimsOf(alice.owner, lxm, extra), eve.keypair)]);
  }
  vectors.push(["a DID nobody knows", await signedToken(claimsOf(eve, lxm), eve.keypair)]);
  const asked = world.directory.requests;
  await allRefused(t, vectors, { least: 28 });
  assert.ok(world.directory.requests - asked <= 3, "forged signatures cost the directory one question per DID");

  await t.test("as herself mallory is nobody here, whatever she claims", () => withoutEffect(world, async () => {
    for (const extra of [{}, { sub: alice.did }, { client_id: alice.did }, { act: { sub: alice.did } }, { did: alice.did }, { user: alice.did }]) {
      const { status, error } = await statusOf(await freshToken(mallory, extra));
      assert.deepEqual([status, error], [403, "NotMember"], JSON.stringify(extra));
    }
  }));
  await t.test("the same hints beside a good signature change nothing", async () => {
    for (const hint of hints) {
      const { status, text } = await statusOf(await signedToken(claimsOf(alice.owner, lxm), alice.owner.keypair, { typ: "JWT", alg: "ES256K", ...hint }));
      assert.equal(status, 200, `${JSON.stringify(hint)}: ${text}`);
    }
  });
});

/** The token itself and everything that means the same, or would to a lenient reader. */
async function twinsOf(user, token, body) {
  const { keypair } = user.owner;
  const [header, claimsPart, signature] = token.split(".");
  const reversed = Object.fromEntries(Object.entries(body).reverse());
  return [["again", token], ["its high-s twin", highTwin(token, keypair.jwtAlg)], ["signed once more", await signedToken(body, keypair)],
    ["claims in another order", await signedToken(reversed, keypair)], ["claims with white space", await signedToken(JSON.stringify(body, null, 1), keypair)],
    ["a claim more", await signedToken({ ...body, nonce: randomUUID() }, keypair)], ["later", await signedToken({ ...body, iat: body.iat + 1, exp: body.exp + 20 }, keypair)],
    ["aud with its service", await signedToken({ ...body, aud: `${serviceDid}#atproto_mls` }, keypair)],
    ["no typ", await signedToken(body, keypair, { alg: keypair.jwtAlg })], ["a kid", await signedToken(body, keypair, { typ: "JWT", alg: keypair.jwtAlg, kid: "x" })],
    ["jti with an escape", await signedToken(JSON.stringify(body).replace(`"jti":"${body.jti[0]}`, `"jti":"\\u00${body.jti.charCodeAt(0).toString(16)}`), keypair)],
    ["by the development secret", hmacToken(body, jwtSecret)], ["padded", `${header}.${claimsPart}.${signature}==`], ["cut", `${header}.${claimsPart}.${signature.slice(0, -1)}`]];
}

test("a token and its twins are good once: on any connection, for any method, after any restart", async (t) => {
  const used = [];
  for (const user of [alice, bob]) {
    const body = claimsOf(user.owner, lxm, { exp: nowSeconds() + 280 });
    const token = await signedToken(body, user.owner.keypair);
    const twins = await twinsOf(user, token, body);
    const connection = await RawConnection.open(world.server.url);
    assert.equal((await statusOn(connection, token)).status, 200);
    await withoutEffect(world, async () => {
      for (const [name, twin] of twins) assert.equal((await statusOn(connection, twin)).status, 401, `same connection: ${name}`);
      for (const method of ["getConvos", "createConvo", "updateCursor"]) {
        const { status } = await statusOf(token, method);
        assert.ok([401, 405].includes(status), `${method}: ${status}`);
      }
    });
    connection.close();
    await allRefused(t, twins, { least: 14 });
    used.push(...twins);
  }
  for (const [how, restart] of [["a stop", () => world.restart()], ["a kill -9", async () => { await world.server.kill9(); await world.server.start(); }]]) {
    await restart();
    // 503 (DECISIONS 15) is an answer where the server cannot know; never 200.
    await allRefused(t, used, { statuses: [401, 503], least: 28 });
    const { status } = await statusOf(used[0][1]);
    t.diagnostic(`after ${how} the journal answers ${status}`);
    for (const user of [alice, bob]) assert.equal((await user.call("sendMessage", convo.message())).status, 200, `after ${how}`);
  }
  const race = await freshToken(alice);
  const answers = await Promise.all(Array.from({ length: 32 }, () => statusOf(race)));
  assert.equal(answers.filter(({ status }) => status === 200).length, 1, "of 32 at once one is the first");
});

test("rotated keys: the new one counts at once, the old one never again", async (t) => {
  const carol = await world.user("carol");
  await convo.add(alice, [carol]);
  await acceptedOf(await freshToken(carol));
  const old = carol.owner.keypair;
  const vectors = [];
  for (const kind of ["p256", "k256"]) {
    const next = new Identity("carol", carol.did, (await Identity.create("carol", kind)).keypair);
    world.directory.add(next);
    if (kind === "p256") await acceptedOf(await signedToken(claimsOf(next, lxm), next.keypair));
    for (let count = 0; count < 3; count += 1) vectors.push([`the first key ${count}`, await signedToken(claimsOf(next, lxm), old)]);
  }
  const asked = world.directory.requests;
  await allRefused(t, vectors, { least: 6 });
  assert.ok(world.directory.requests - asked <= 1, "one forced refresh in 30 s");
});

/** Documents that give no key for `identity`, or more than one. */
function badDocuments(identity) {
  const good = identity.document();
  const [method] = good.verificationMethod;
  const withMethods = (...methods) => ({ ...good, verificationMethod: methods });
  const change = (extra) => withMethods({ ...method, ...extra });
  const multibase = method.publicKeyMultibase;
  return { "of another DID": { ...good, id: "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa" }, "without id": { ...good, id: undefined }, "with id in capitals": { ...good, id: identity.did.toUpperCase() },
    "with a list of ids": { ...good, id: [identity.did] }, "with id#atproto": { ...good, id: `${identity.did}#atproto` },
    "with two #atproto keys": withMethods(method, method), "with two, one relative": withMethods(method, { ...method, id: "#atproto" }),
    "with no methods": { ...good, verificationMethod: undefined }, "with an empty list": withMethods(), "with null": withMethods(null), "with a text": withMethods("#atproto"),
    "with an object for a list": { ...good, verificationMethod: method }, "with a key of another name": change({ id: `${identity.did}#signing` }),
    "with #atproto of someone else": change({ id: "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa#atproto" }), "with a suffix": change({ id: `${identity.did}#atproto_label` }),
    "with a prefix": change({ id: `${identity.did}x#atproto` }), "with another controller": change({ controller: "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa" }),
    "with an unknown type": change({ type: "JsonWebKey2020x" }), "with Ed25519": change({ type: "Ed25519VerificationKey2020" }), "with no type": change({ type: undefined }),
    "with another multibase": change({ publicKeyMultibase: `f${multibase.slice(1)}` }), "with a cut key": change({ publicKeyMultibase: multibase.slice(0, -2) }),
    "with a longer key": change({ publicKeyMultibase: `${multibase}1` }), "with a key that is no text": change({ publicKeyMultibase: [multibase] }),
    "with a key and a JWK": change({ publicKeyJwk: { kty: "EC", crv: "secp256k1", x: "AA", y: "AA" } }),
    "with a JWK off its curve": change({ publicKeyMultibase: undefined, publicKeyJwk: { kty: "EC", crv: "secp256k1", x: segment(Buffer.alloc(32, 1)), y: segment(Buffer.alloc(32, 1)) } }),
    "with a secret JWK": change({ publicKeyMultibase: undefined, publicKeyJwk: { kty: "oct", k: "AAAA" } }),
    "with 100 methods": withMethods(...Array.from({ length: 100 }, (_, index) => ({ ...method, id: `#key-${index}` })), method) };
}

/** Takes the document away, or never gives it whole; each leaves the server as it was. */
const failingDirectories = {
  "410 Gone": (request, response) => response.writeHead(410).end("{}"),
  "404": (request, response) => response.writeHead(404).end(),
  "500": (request, response) => response.writeHead(500).end(),
  "429": (request, response) => response.writeHead(429).end(),
  "a redirect to itself": (request, response) => response.writeHead(302, { location: request.url }).end(),
  "a redirect to loopback": (request, response) => response.writeHead(307, { location: "http://127.0.0.1:1/" }).end(),
  "garbage": (request, response) => response.end(Buffer.alloc(1000, 0xff)),
  "half a document": (request, response) => response.end('{"id":"did:plc:'),
  "nothing": (request, response) => response.end(),
  "an array": (request, response) => response.end("[]"),
  "deep nesting": (request, response) => response.end('{"id":'.repeat(5000)),
  "10 MiB": (request, response) => response.end(Buffer.alloc(10 * 1024 * 1024, 0x20)),
  "10 MiB announced": (request, response) => { response.writeHead(200, { "content-length": 10 * 1024 * 1024 }); response.write("{"); },
  "a reset": (request) => request.socket.destroy(),
  "no HTTP": (request) => request.socket.end("hello\r\n\r\n"),
  "endless headers": (request) => { for (let count = 0; count < 2000; count += 1) request.socket.write(`x-${count}: y\r\n`); request.socket.end(); },
  "no answer at all": () => {},
  "a drip": (request, response) => { response.writeHead(200); const timer = setInterval(() => response.write(" "), 50); response.on("close", () => clearInterval(timer)); },
};

test("documents without one clear key, and directories that fail, let nobody in", async (t) => {
  const cases = [];
  const identities = await Promise.all(Array.from({ length: 60 }, () => Identity.create("dora")));
  for (const [name, document] of Object.entries(badDocuments(identities[0]))) {
    const own = identities.pop();
    const text = JSON.stringify(document).replaceAll(identities[0].did, own.did).replaceAll(identities[0].keypair.did().slice(8), own.keypair.did().slice(8))
      .replaceAll(identities[0].did.toUpperCase(), own.did.toUpperCase());
    cases.push([`a document ${name}`, own, [401], (request, response) => response.end(text)]);
  }
  for (const [name, answer] of Object.entries(failingDirectories)) cases.push([name, identities.pop(), /^4(04|10)/.test(name) ? [401] : [503], answer]);
  await convo.add(alice, cases.map(([, own]) => own).slice(0, 25));
  await convo.add(alice, cases.map(([, own]) => own).slice(25));

  await withoutEffect(world, async () => {
    for (const [name, own, statuses, answer] of cases) {
      world.directory.serve(own.did, answer);
      const { status, error } = await statusOf(await signedToken(claimsOf(own, lxm), own.keypair));
      assert.ok(statuses.includes(status), `${name}: ${status} ${error}`);
      // A stranger whose document is in order: the directory is asked, and answers, in between.
      const good = await world.user("good");
      assert.equal((await statusOf(await freshToken(good))).status, 403, `after ${name}`);
    }
  });
  counted += cases.length;
  t.diagnostic(`${cases.length} documents and directories refused`);
  const own = identities.pop();
  await convo.add(alice, [own]);
  world.directory.serve(own.did, (request, response) => response.end(JSON.stringify(own.document())));
  await acceptedOf(await signedToken(claimsOf(own, lxm), own.keypair));
});

test("takedown: a document that is gone ends the key it had", async () => {
  const own = await world.user("dave");
  await convo.add(alice, [own]);
  await acceptedOf(await freshToken(own));
  world.directory.serve(own.did, failingDirectories["410 Gone"]);
  // A bad signature makes the server look again, and what it then learns holds for good ones too.
  const bad = await freshToken(own);
  const flipped = Buffer.from(signatureOf(bad).map((byte, index) => (index === 40 ? byte ^ 1 : byte)));
  assert.equal((await statusOf(withSignature(bad, flipped))).status, 401);
  await withoutEffect(world, async () => assert.equal((await statusOf(await freshToken(own))).status, 401));
});

test("there were enough of them", (t) => {
  t.diagnostic(`${counted} forged or replayed tokens, 0 accepted`);
  assert.ok(counted >= vectorsMin, `${counted}`);
});

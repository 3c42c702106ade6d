// SPDX-License-Identifier: MIT
// Smuggling and limits over raw sockets. Behind every vector stands a request that would be accepted
// and stored if anybody read it as one, and a canary that tells where the server thinks the vector ends.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { modes, withoutEffect } from "../lib/hostile.mjs";
import { RawConnection, exchange } from "../lib/raw_http.mjs";
import { claimsOf, signedToken } from "../lib/tokens.mjs";
import { Convo, World, prefix } from "../lib/world.mjs";
import { classes, paths } from "./http_vectors.mjs";

const lxm = `${prefix}sendMessage`;
const canary = "GET /xrpc/_health?canary HTTP/1.1\r\nhost: x\r\n\r\n";
const headerBytesMax = 16 * 1024;
const bodyBytesMax = 16 * 1024 * 1024;
const vectorsMin = 200;
let world, alice, convo, counted = 0;

before(async () => {
  world = await World.start(modes[0][1]);
  alice = await world.user("alice");
  convo = await Convo.create(alice);
});
after(() => world?.end());

/** A request that is accepted wherever it is read as one. */
async function storable(line = `POST /xrpc/${lxm} HTTP/1.1`, extra = "") {
  const body = JSON.stringify(convo.message());
  const token = world.secret(await signedToken(claimsOf(alice.owner, lxm), alice.owner.keypair));
  return `${line}\r\nhost: x\r\nauthorization: Bearer ${token}\r\ncontent-type: application/json\r\n${extra}content-length: ${body.length}\r\n\r\n${body}`;
}

async function answersOf(text) {
  const { answers, rest } = await exchange(world.server.url, Buffer.concat([Buffer.from(text, "latin1"), Buffer.from(canary)]));
  assert.equal(rest.length, 0, "whole answers only");
  for (const { status, headers, text: body } of answers) {
    if (status < 400) continue;
    assert.equal(headers["content-type"], "application/json");
    assert.deepEqual(Object.keys(JSON.parse(body)), ["error", "message"]);
  }
  return answers;
}

/** True if the answers are those expected. Of two refusals a vector may name, one is enough. */
function asExpected(answers, expected) {
  const seen = answers.map(({ status }) => status);
  if (expected.length === 2 && expected.every((status) => status >= 400)) return seen.length === 1 && expected.includes(seen[0]);
  return String(seen) === String(expected);
}

test("the request that must not be read is accepted where it is one", async () => {
  const answers = await answersOf(await storable());
  assert.deepEqual(answers.map(({ status }) => status), [200, 200]);
  assert.match(answers[0].text, /"messageId"/);
  assert.match(answers[1].text, /"version"/);
});

for (const [name, vectors] of Object.entries(classes)) {
  test(`${name}: one reading only`, async (t) => {
    let count = 0;
    const wrong = [];
    await withoutEffect(world, async () => {
      for (const [what, text, expected] of vectors(await storable())) {
        const answers = await answersOf(text);
        if (!asExpected(answers, expected)) wrong.push(`${what}: ${answers.map(({ status, text: body }) => `${status} ${body.slice(0, 80)}`)}; expected ${expected}`);
        if (answers.length === 1 && answers[0].status >= 400) assert.equal(answers[0].headers.connection, "close", what);
        count += 1;
      }
      assert.deepEqual(wrong, []);
    });
    counted += count;
    t.diagnostic(`${count} vectors`);
  });
}

test("a path is compared, never decoded, cleaned or folded", async (t) => {
  await withoutEffect(world, async () => {
    for (const [path, status] of paths(lxm)) {
      const answers = await answersOf(await storable(`POST ${path} HTTP/1.1`));
      assert.deepEqual(answers.map((answer) => answer.status), [status, 200], path);
    }
  });
  counted += paths(lxm).length;
  t.diagnostic(`${paths(lxm).length} paths`);
});

test("the limits of the header and of the body are where they are said to be", async () => {
  const filled = (line, size) => {
    const rest = `${line}\r\nhost: x\r\nx: `;
    return `${rest}${"y".repeat(size - rest.length - 4)}\r\n\r\n`;
  };
  const many = (size) => {
    const rest = "GET /xrpc/_health HTTP/1.1\r\nhost: x\r\n";
    const room = size - rest.length - 2;
    return `${rest}${"a:b\r\n".repeat(Math.floor(room / 5) - 1)}x:${"y".repeat(room % 5 + 1)}\r\n\r\n`;
  };
  const longTarget = (size) => {
    const rest = " HTTP/1.1\r\nhost: x\r\n\r\n";
    return `GET /xrpc/_health?${"a".repeat(size - rest.length - "GET /xrpc/_health?".length)}${rest}`;
  };
  const S = await storable();
  await withoutEffect(world, async () => {
    for (const make of [(size) => filled("GET /xrpc/_health HTTP/1.1", size), many, longTarget]) {
      for (const [size, expected] of [[headerBytesMax - 1, [200, 200]], [headerBytesMax, [200, 200]], [headerBytesMax + 1, [431]], [headerBytesMax * 4, [431]]]) {
        const text = make(size);
        assert.equal(text.length, size);
        const answers = await answersOf(expected.length === 1 ? text + S : text);
        assert.deepEqual(answers.map(({ status }) => status), expected, `header of ${size} bytes`);
        counted += 1;
      }
    }
    for (const [size, expected] of [[bodyBytesMax - 1, [401, 200]], [bodyBytesMax, [401, 200]], [bodyBytesMax + 1, [413]]]) {
      const answers = await answersOf(`POST /xrpc/${lxm} HTTP/1.1\r\nhost: x\r\ncontent-length: ${size}\r\n\r\n${" ".repeat(expected.length === 1 ? 100 : size)}`);
      assert.deepEqual(answers.map(({ status }) => status), expected, `body of ${size} bytes`);
      counted += 1;
    }
    const chunk = `${(1024 * 1024).toString(16)}\r\n${" ".repeat(1024 * 1024)}\r\n`;
    for (const [chunks, tail, expected] of [[15, "fffff", [401, 200]], [15, "100000", [401, 200]], [16, "1", [413]]]) {
      const last = `${tail}\r\n${" ".repeat(parseInt(tail, 16))}\r\n0\r\n\r\n`;
      const answers = await answersOf(`POST /xrpc/${lxm} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n${chunk.repeat(chunks)}${last}`);
      assert.deepEqual(answers.map(({ status }) => status), expected, `${chunks} MiB and ${tail}`);
      counted += 1;
    }
  });
});

test("pipelined requests are answered in order, and nothing behind the first bad one", async () => {
  const good = (index) => `GET /xrpc/_health?${index} HTTP/1.1\r\nhost: x\r\n\r\n`;
  const S = await storable();
  await withoutEffect(world, async () => {
    for (const bad of ["GET / HTTP/1.1\r\nhost : x\r\n\r\n", `POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n`, "\x00"]) {
      for (const before of [0, 1, 15, 16, 17, 100]) {
        const answers = await answersOf(Array.from({ length: before }, (_, index) => good(index)).join("") + bad + S);
        assert.deepEqual(answers.map(({ status }) => status), [...Array.from({ length: before }, () => 200), 400], `${before} before ${JSON.stringify(bad)}`);
        counted += 1;
      }
    }
  });
});

test("a request is the same however it is cut into packets", async () => {
  const S = await storable();
  await withoutEffect(world, async () => {
    for (const text of [`${"POST /xrpc/x HTTP/1.1\r\nhost: x\r\n"}transfer-encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nx: y\r\n\r\n`, "POST /xrpc/x HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc",
      `POST /xrpc/x HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\ncontent-length: 9\r\n\r\n${S}`.slice(0, 400)]) {
      const bytes = Buffer.from(text, "latin1");
      for (const step of [1, 2, 3, 7]) {
        const connection = await RawConnection.open(world.server.url);
        for (let at = 0; at < bytes.length && !connection.ended; at += step) {
          connection.send(bytes.subarray(at, at + step));
          await new Promise(setImmediate);
        }
        connection.send(canary);
        connection.shutSending();
        const seen = (await connection.toEnd()).answers.map(({ status }) => status);
        assert.deepEqual(seen, text.includes("length: 9") ? [400] : [501, 200], `steps of ${step}`);
        counted += 1;
      }
    }
  });
});

test("there were enough of them", (t) => {
  t.diagnostic(`${counted} HTTP vectors, 0 read as something else`);
  assert.ok(counted >= vectorsMin, `${counted}`);
});

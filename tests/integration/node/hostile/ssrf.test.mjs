// SPDX-License-Identifier: MIT
// Callers whose DIDs name inner addresses, and directories that point to them: seen from the kernel,
// the server connects to its directory and to nothing else. Names that resolve to inner addresses
// are in tests/hostile/ssrf.test.cpp, where the resolver can be replaced.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Identity } from "../lib/directory.mjs";
import { modes, withoutEffect } from "../lib/hostile.mjs";
import { claimsOf, signedToken } from "../lib/tokens.mjs";
import { Convo, World, prefix } from "../lib/world.mjs";

const targetsMin = 150;
const lxm = `${prefix}sendMessage`;

const v4 = ["127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "192.0.0.192", "198.18.0.1", "224.0.0.1", "255.255.255.255", "8.8.8.8"];
const v6 = ["::1", "::", "fe80::1", "fe80::1%25eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "fec0::1", "100::1", "2001:db8::1", "2001::1", "::127.0.0.1", "2606:4700::1111"];

/** Everything that some parser somewhere reads as this address. */
function spellings(address) {
  const octets = address.split(".").map(Number);
  const whole = octets.reduce((sum, octet) => sum * 256 + octet, 0);
  const [hex, dotted] = [whole.toString(16).padStart(8, "0"), (base, lead) => octets.map((octet) => lead + octet.toString(base)).join(".")];
  const words = `${hex.slice(0, 4)}:${hex.slice(4)}`;
  return [address, `${address}.`, String(whole), `0x${hex}`, `0${whole.toString(8)}`, dotted(16, "0x"), dotted(8, "0"), `${octets[0]}.${whole % 2 ** 24}`, `${octets[0]}.${octets[1]}.${whole % 2 ** 16}`,
    `00${address}`, `[::ffff:${address}]`, `%5B%3A%3Affff%3A${address}%5D`, `[::ffff:${words}]`, `[64:ff9b::${words}]`, `[2002:${words}::]`, `[2001:0:${words}::]`, `${address}%3A443`, `${address}:443`];
}

/** Hosts of did:web that are none, or none we would ask. `port` is one on which somebody listens. */
function targets(port) {
  const names = ["localhost", "LOCALHOST", "Localhost", "localhost.", "localhost%2e", `localhost%3A${port}`, `localhost:${port}`, `localhost%3a${port}`, `localhost%253A${port}`, "localhost.localdomain", "a.localhost", "a.localhost.",
    "ip6-localhost", "localhost6", "metadata", "metadata.google.internal", "instance-data", "intranet", "router", "printer.local", "x.internal", "x.test", "x.invalid", "x.example", "x.onion", "x.home.arpa",
    "1.0.0.127.in-addr.arpa", "x.intranet", "x.home", "a", "a.b.1", "1.1.1", "0", "00", "0x0", "a.0x1", "..", ".", "", ".localhost", "-a.test.org", "a-.org", "a_b.org", `${"a".repeat(64)}.org`, `${"a.".repeat(130)}org`];
  const tricks = [`127.0.0.1%3A${port}`, `user@127.0.0.1%3A${port}`, `user%40127.0.0.1`, `a.org@127.0.0.1`, `a.org%40127.0.0.1`, `a.org%3A${port}`, "a.org%3A80", `a.org:${port}`, "a.org%2F..%2F", "a.org%2f", "a.org/..", "a.org:x:y",
    "127.0.0.1:x", "127.0.0.1%2Fx", "127.0.0.1%3Fx", "127.0.0.1%23x", "127.0.0.1?x", "127.0.0.1\\@a.org", "a.org\\127.0.0.1", "a.org%5C127.0.0.1", "127.0.0.1%00.a.org", "a.org%00", "127.0.0.1\u0000.a.org", "127.0.0.1 a.org",
    "127.0.0.1\ta.org", "127.0.0.1\r\nhost: a.org", "a.org%0d%0ahost:%20127.0.0.1", "\uff11\uff12\uff17.0.0.1", "127\u30020\u30020\u30021", "\u2460\u2461\u2466.0.0.1", "loc\u0430lhost", "ⓛocalhost", "xn--", "%6cocalhost", "%6c%6f%63%61%6c%68%6f%73%74",
    "127.0.0.1;a.org", "127.0.0.1,a.org", "*", "*.a.org", "[::1]:80", "[::1", "::1]", "[]", "[::1]%3A80", "file:///etc/passwd", "//127.0.0.1", "http://127.0.0.1/", "https%3A%2F%2F127.0.0.1"];
  const literals = v6.flatMap((address) => [`[${address}]`, `%5B${address.replaceAll(":", "%3A")}%5D`, address]);
  return [...new Set([...v4.flatMap(spellings), ...literals, ...names, ...tricks])];
}

/** TCP and other connections to the net that strace saw; look-ups of names are UDP. */
function connections(path) {
  return readFileSync(path, "utf8").split("\n").filter((line) => /connect\(/.test(line) && /sa_family=AF_INET/.test(line) && !/<UDP/.test(line))
    .map((line) => `${/inet_(?:addr|pton)\((?:AF_INET6, )?"([^"]+)"/.exec(line)?.[1]} ${/port=htons\((\d+)\)/.exec(line)?.[1]}`);
}

async function traced(environment, use) {
  const folder = mkdtempSync(join(tmpdir(), "catbird-ssrf-"));
  const path = join(folder, "trace");
  // -D: the server stays our child. LeakSanitizer cannot run while traced (DECISIONS 27).
  const world = await World.start({ ...environment, ASAN_OPTIONS: `${process.env.ASAN_OPTIONS ?? ""}:detect_leaks=0` },
    ["strace", "-D", "-f", "-qq", "-yy", "-e", "trace=connect", "-e", "signal=none", "-o", path]);
  try {
    await use(world);
  } finally {
    await world.end();
  }
  try {
    return connections(path);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function attempt(world, convo, iss, keypair) {
  const token = world.secret(await signedToken(claimsOf({ did: iss, keypair }, lxm), keypair));
  const response = await fetch(`${world.server.url}/xrpc/${lxm}`, { method: "POST", body: JSON.stringify(convo.message()),
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" }, signal: AbortSignal.timeout(60_000) });
  return { status: response.status, text: await response.text() };
}

test("no DID makes the server connect anywhere but to its directory", async (t) => {
  let [tried, directoryPort] = [0, 0];
  const decoy = createServer((request, response) => response.end("{}"));
  await new Promise((resolve) => decoy.listen(0, "127.0.0.1", resolve));
  t.after(() => decoy.close());
  const { port } = decoy.address();
  let reached = 0;
  decoy.on("connection", () => { reached += 1; });
  const seen = await traced({ ...modes[0][1], CATBIRD_DEV: "false" }, async (world) => {
    directoryPort = new URL(world.directory.url).port;
    const [alice, mallory] = await world.users("alice", "mallory");
    const convo = await Convo.create(alice);
    await withoutEffect(world, async () => {
      for (const host of targets(port)) {
        for (const iss of [`did:web:${host}`, ...(/^[\w.%:[\]-]*$/.test(host) ? [] : [`did:plc:${host}`])]) {
          const { status, text } = await attempt(world, convo, iss, mallory.owner.keypair);
          assert.equal(status, 401, `${iss}: ${text}`);
          tried += 1;
        }
      }
      for (const code of [300, 301, 302, 303, 307, 308]) {
        for (const location of [`http://127.0.0.1:${port}/`, `http://localhost:${port}/`, `//127.0.0.1:${port}/x`, "http://169.254.169.254/latest/meta-data/", `https://[::1]:${port}/`, "file:///etc/passwd", "gopher://127.0.0.1:1/"]) {
          const who = await Identity.create("redirected");
          world.directory.serve(who.did, (request, response) => response.writeHead(code, { location, refresh: `0;url=${location}`, "content-location": location, link: `<${location}>` }).end());
          const { status, text } = await attempt(world, convo, who.did, who.keypair);
          assert.equal(status, 503, `${code} to ${location}: ${text}`);
          // And a good answer in between, or the directory would count as down.
          await (await world.user("good")).ok("getConvos");
          tried += 1;
        }
      }
      for (const endpoint of [`http://127.0.0.1:${port}`, "http://169.254.169.254", "file:///etc/passwd"]) {
        const who = await Identity.create("pointing");
        const document = { ...who.document(), service: [{ id: "#atproto_pds", type: "AtprotoPersonalDataServer", serviceEndpoint: endpoint }], alsoKnownAs: [endpoint], controller: endpoint, "@context": [`${endpoint}/context`] };
        world.directory.serve(who.did, (request, response) => response.end(JSON.stringify(document)));
        const { status } = await attempt(world, convo, who.did, who.keypair);
        assert.equal(status, 403, endpoint);
        tried += 1;
      }
    });
  });
  assert.ok(seen.length > 40, "the trace shows the directory being asked");
  assert.deepEqual(seen.filter((to) => to !== `127.0.0.1 ${directoryPort}`), [], "connections elsewhere");
  assert.equal(reached, 0);
  t.diagnostic(`${tried} targets, ${seen.length} connections to the directory, 0 elsewhere`);
  assert.ok(tried >= targetsMin);
});

test("the trace would have shown it: in development did:web:localhost is asked", async (t) => {
  const who = await Identity.create("local");
  const host = createServer((request, response) => response.end(JSON.stringify(who.document()).replaceAll(who.did, `did:web:localhost%3A${host.address().port}`)));
  await new Promise((resolve) => host.listen(0, "127.0.0.1", resolve));
  t.after(() => { host.closeAllConnections(); host.close(); });
  const { port } = host.address();
  const seen = await traced(modes[0][1], async (world) => {
    const convo = await Convo.create(await world.user("alice"));
    const { status } = await attempt(world, convo, `did:web:localhost%3A${port}`, who.keypair);
    assert.equal(status, 403, "known, and not a member");
  });
  assert.ok(seen.includes(`127.0.0.1 ${port}`), `${seen}`);
});

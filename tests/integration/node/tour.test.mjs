// SPDX-License-Identifier: MIT
// The README's tour, as a reader pastes it: every block, in order, in one shell; and the examples of docs/api.md.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { test } from "node:test";
import { freePort, serverBinary } from "./lib/server.mjs";

const root = resolve(import.meta.dirname, "../../..");
const readme = join(root, "README.md");
const ceilingMs = 300_000;  // Against hangs; not a measurement.
const marker = "=== block ended ===";

function blocksOfTour() {
  if (!existsSync(readme)) return undefined;
  const tour = /<!-- tour:begin -->(.*)<!-- tour:end -->/s.exec(readFileSync(readme, "utf8"))?.[1];
  return tour && [...tour.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block]) => block);
}

const blocks = blocksOfTour();

/** What each block prints; all of them must succeed. */
async function pasted(t, blocks) {
  const scratch = mkdtempSync(join(tmpdir(), "catbird-tour-"));
  t.after(() => rmSync(scratch, { recursive: true, force: true }));
  // Not set -u: a reader's shell has none. The trap ends the server if a block fails before it does.
  const script = ["set -e -o pipefail", 'trap \'kill "$pid" 2>/dev/null || true\' EXIT',
    ...blocks.map((block) => `${block}\necho; echo "${marker}"`)].join("\n");

  const { status, signal, stdout, stderr } = spawnSync("bash", ["--noprofile", "--norc", "-c", script], {
    cwd: root, encoding: "utf8", timeout: ceilingMs, stdio: ["ignore", "pipe", "pipe"],
    env: {
      PATH: `${dirname(process.execPath)}:${process.env.PATH}`, HOME: scratch, TMPDIR: scratch,
      CATBIRD_TOUR_BINARY_DIR: process.env.CATBIRD_TOUR_BINARY_DIR ?? dirname(serverBinary()),
      CATBIRD_TOUR_PORT: String(await freePort()),
      ...(process.env.ASAN_OPTIONS ? { ASAN_OPTIONS: process.env.ASAN_OPTIONS } : {}),
    },
  });

  const outputs = stdout.split(marker).map((text) => text.trim());
  const ended = outputs.length - 1;
  assert.equal(`${status} ${signal}`, "0 null", `in block ${ended + 1} of ${blocks.length}:\n${blocks[ended]}\n${outputs.at(-1)}\n${stderr}`);
  assert.equal(ended, blocks.length);
  return outputs;
}

test("the tour of the README works when pasted", { skip: blocks ? false : "README.md has no tour yet" }, async (t) => {
  const outputs = await pasted(t, blocks);
  const said = (text) => blocks.findIndex((block) => block.includes(text));
  const text = /demo message \S+ "([^"]+)"/.exec(blocks.join("\n"))[1];
  const read = outputs[said("demo read")].split("\n");
  assert.match(read.at(-1), new RegExp(`^\\d+: ${text.replaceAll(/[.?*+()]/g, "\\$&")}$`), "the last line is the decrypted text");
  assert.match(read[0], /"unreadCount":1\b/);
  const sent = outputs[said("sendMessage")].split("\n");
  assert.equal(sent.length, 2);
  assert.equal(sent[0], sent[1], "sent twice, answered the same");
});

test("the examples of docs/api.md work when pasted behind the tour's registration of a group", async (t) => {
  const page = readFileSync(join(root, "docs/api.md"), "utf8");
  const examples = [...page.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block]) => block);
  assert.ok(examples.length >= 18);
  const before = blocks.slice(0, blocks.findIndex((block) => block.includes("demo create")) + 1);
  const outputs = (await pasted(t, [...before, ...examples])).slice(before.length);
  // Each family has one, and each says something.
  const sections = page.split(/^## /m).filter((section) => section.includes("\n```sh\n")).map((section) => section.split("\n")[0]);
  assert.deepEqual(sections, ["Conversations", "Messages", "Welcomes", "Key packages", "Devices", "Finding each other", "Roles and policy", "Reports and invites", "Blocks",
    "When a client lost its group", "The event stream", "The WebSocket"]);
  examples.forEach((example, at) => assert.ok(outputs[at], example));
});

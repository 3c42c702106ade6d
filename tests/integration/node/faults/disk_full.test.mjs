// SPDX-License-Identifier: MIT
// The disk fills up and is freed again under a running server: writes are refused meanwhile, reads and
// streams go on, and nothing needs a restart.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { EventStream } from "../lib/event_stream.mjs";
import { FaultServer, assertSound, errno, calls } from "../lib/fault_server.mjs";
import { bareMessage } from "../lib/handmade.mjs";
import { Convo, base64 } from "../lib/world.mjs";

const diskMiB = 12;
const ballastMiB = 4;
const messageBytes = 60_000;
const messagesMax = 10_000;  // against a disk that never fills

/** A small file system of its own, or, without the right to mount one, a disk that says it is full. */
function smallDisk(t) {
  const folder = mkdtempSync(join(tmpdir(), "catbird-disk-"));
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${diskMiB}m`, "none", folder]).status === 0;
  t.diagnostic(mounted ? `a tmpfs of ${diskMiB} MiB` : "mounting is not permitted: writes fail with ENOSPC instead");
  const ballast = join(folder, "ballast");
  if (mounted) writeFileSync(ballast, Buffer.alloc(ballastMiB << 20));
  return {
    folder, mounted,
    free: () => rmSync(ballast, { force: true }),
    remove: () => {
      if (mounted) spawnSync("umount", [folder]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A message whose frame is as long as a client would make it. */
function bigMessage(convo) {
  const message = bareMessage({ ...convo.where, bytes: messageBytes });
  const frame = Buffer.alloc(Math.ceil((message.length + 4) / 8192) * 8192);
  frame.writeUInt32BE(message.length);
  message.copy(frame, 4);
  return convo.message({ ciphertext: { $bytes: base64(frame) }, paddedSize: frame.length });
}

test("a full disk refuses writes, serves reads and streams, and needs no restart when it is freed", async (t) => {
  const disk = smallDisk(t);
  const server = new FaultServer({ parent: disk.folder });
  let stream;
  t.after(async () => {
    await stream?.close();
    await server.dispose();
    disk.remove();
  });
  await server.start();
  const { pid } = server;
  const [alice, bob] = [server.user("alice"), server.user("bob")];
  const convo = await Convo.create(alice, [bob]);
  stream = new EventStream(server, bob.identity, convo.id);
  await stream.open();
  const acked = [];
  const sendUntil = async (status) => {
    for (let sent = 0; sent < messagesMax; sent += 1) {
      const input = bigMessage(convo);
      const answer = await alice.tryOnce("sendMessage", input);
      if (answer.status === 200) acked.push({ id: input.msgId, seq: answer.body.seq });
      if (answer.status === status) return { input, answer };
      assert.ok([200, 503].includes(answer.status));
    }
    throw new Error(`no ${status}`);
  };
  const reads = async () => {
    const rows = await bob.rows(convo.id, 50);
    assert.deepEqual(rows.map(({ id, seq }) => ({ id, seq })), acked);
    assert.equal(await alice.epochOf(convo.id), 0);
    assert.equal((await alice.ok("getConvos")).conversations.length, 1);
  };

  await sendUntil(200);
  if (!disk.mounted) server.failAt(100, errno.ENOSPC, { mask: calls.write, times: Infinity });
  const { input, answer } = await sendUntil(503);
  assert.equal(answer.body.error, "TemporarilyUnavailable");
  assert.ok(Number(answer.retryAfter) > 0);
  const whenFull = acked.length;
  await reads();
  assert.equal((await fetch(`${server.url}/health/live`)).status, 200);
  await stream.until(acked.at(-1).seq);
  assert.equal(stream.ended, undefined, "the stream stays open");

  if (disk.mounted) disk.free();
  else server.heal();
  const { messageId, seq } = await alice.ok("sendMessage", input);
  acked.push({ id: messageId, seq });
  await sendUntil(200);
  await stream.until(acked.at(-1).seq);
  await reads();
  assert.equal(server.pid, pid);
  assert.deepEqual(stream.rows.map((row) => row.seq), acked.map((one) => one.seq));
  await stream.close();
  await server.stop();
  rmSync(join(disk.folder, "ballast"), { force: true });
  await server.start();
  await reads();
  await assertSound(server);
  t.diagnostic(`full after ${whenFull} messages of ${messageBytes} bytes`);
});

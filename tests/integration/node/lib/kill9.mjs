// SPDX-License-Identifier: MIT
// kill -9 under load: what was acknowledged is there exactly once, numbers have no gap, and what became
// of an unanswered request is found out by sending it again.
import { randomInt } from "node:crypto";
import { test } from "node:test";
import { Load } from "./load.mjs";
import { World } from "./world.mjs";

const senders = 6;
const acksPerCycle = [40, 160];  // The kill comes after a number of acknowledgements in this range.

export const killUnderLoad = (cycles) => test(`${cycles} times kill -9 under load`, async (t) => {
  const world = await World.start({ RUST_LOG: "info" });
  t.after(() => world.end());
  const users = await Promise.all(Array.from({ length: senders }, (_, index) =>
    world.user(`sender${index}`, index % 2 ? "p256" : "k256")));
  const load = await Load.start(world.server, users);
  for (let cycle = 1; cycle <= cycles; cycle += 1) {
    await t.test(`cycle ${cycle}`, async () => {
      await load.untilGone(randomInt(...acksPerCycle), () => world.server.kill9());
      await world.server.start();
      await load.resolve();
      await load.check();
    });
  }
  t.diagnostic(load.summary);
});

// SPDX-License-Identifier: MIT
// The rollback of the predecessor's operators under load: stop the server, or kill -9 it, start it in the
// other mode on the same data, several times. Clients repeat what was not answered; nothing is lost.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Arena, modes, scaled } from "../lib/race.mjs";

const flips = Number(process.env.CATBIRD_FLIPS ?? 8);
const requests = scaled(Number(process.env.CATBIRD_FLIP_REQUESTS ?? 12_000));

let arena;
before(async () => { arena = await Arena.start(modes[0]); });
after(() => arena?.dispose());

test(`${flips} flips between ${modes.join(" and ")} under load, half of them by kill -9`, async (t) => {
  let done = 0;
  let flipping = Promise.resolve();
  const flip = async (number) => {
    if (number % 2 === 0) await arena.server.stop();
    else await arena.server.kill9();
    await arena.start(modes[number % modes.length]);
  };
  await arena.race("load", {
    scale: requests, watch: ["user 0", "user 1"],
    onCount: (count) => {
      if (done === flips || count < (requests * (done + 1)) / (flips + 1)) return;
      done += 1;
      const number = done;
      flipping = flipping.then(() => flip(number));
    },
  });
  await flipping;
  assert.equal(done, flips);
  t.diagnostic(await arena.check());
});

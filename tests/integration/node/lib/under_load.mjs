// SPDX-License-Identifier: MIT
// A fault, again and again, while the clients of a race are at work.
import assert from "node:assert/strict";

const ceilingMs = 60_000;  // Against hangs; not a measurement.
const lookAgainMs = 10;
const answersBetween = 100;

/** What a fault can see of the load that goes on meanwhile. */
class Load {
  acknowledged = 0;
  over = false;

  /** Until `holds`, or the load is over, of which underLoad() tells. */
  async until(what, holds) {
    const deadline = Date.now() + ceilingMs;
    while (!await holds()) {
      if (this.over) return;
      if (Date.now() > deadline) throw new Error(`not within ${ceilingMs} ms: ${what}`);
      await new Promise((resume) => setTimeout(resume, lookAgainMs));
    }
  }

  /** Until the clients have had so many more answers. */
  async goesOn(answers = 1) {
    const from = this.acknowledged;
    await this.until("the load goes on", () => this.acknowledged >= from + answers);
  }
}

/** Load, and `fault(number, load)` so many times while it goes on; fails if there was not time for all. */
export async function underLoad(arena, times, fault, { perCycle, watch }) {
  const load = new Load();
  let done = 0;
  const breaking = (async () => {
    for (let number = 0; number < times; number += 1) {
      await load.goesOn(answersBetween);
      if (load.over) break;
      await fault(number, load);
      if (!load.over) done += 1;
    }
  })();
  breaking.catch(() => arena.stopRacing());  // told below, after the load
  await arena.race("load", { scale: times * perCycle, watch, onCount: (count) => { load.acknowledged = count; } })
    .finally(() => { load.over = true; })
    .catch(async (error) => {
      await breaking;  // if it failed first, that is the reason
      throw error;
    });
  await breaking;
  assert.equal(done, times, "faults that came before the load was over");
}

/** A counter of the server's, over all its labels; only lines that hold `label`. */
export async function metric(server, name, label = "") {
  const page = await (await fetch(`${server.url}/metrics`)).text();
  const lines = page.split("\n").filter((line) => /^[a-z_]+/.exec(line)?.[0] === name && line.includes(label));
  assert.ok(label || lines.length > 0, `no ${name} in /metrics`);
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
}

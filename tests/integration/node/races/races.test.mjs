// SPDX-License-Identifier: MIT
// The races of tests/race, each against the built server, in each mode; what every client saw is then
// held to the database by the independent checker.
import { after, before, describe, test } from "node:test";
import { Arena, modes, scaled } from "../lib/race.mjs";

// The predecessor's five, by their names.
const five = [
  "test_concurrent_add_members_no_duplicate_epochs",
  "test_concurrent_send_and_read_unread_count_consistency",
  "test_message_sequence_numbers_sequential",
  "test_out_of_order_commits_prevented",
  "test_mixed_operations_no_race_conditions",
];
const requests = Number(process.env.CATBIRD_RACE_REQUESTS ?? 20_000);
const watched = { test_message_sequence_numbers_sequential: ["sender 0", "sender 1"] };
// 1,000 conversations or 20,000 key packages are for the actors: the direct gateway keeps nothing that
// could be there twice, and key packages take the same way in both modes.
const fewerWhenDirect = 0.2;

for (const mode of modes) {
  describe(`races, mode ${mode}`, () => {
    const reduced = (usual) => scaled(mode === "direct" ? usual * fewerWhenDirect : usual);
    let arena;
    before(async () => { arena = await Arena.start(mode); });
    after(() => arena?.dispose());

    for (const name of five) {
      test(name, () => arena.race(name, { scale: scaled(10), watch: watched[name] ?? [] }));
    }

    test("of 64 commits on one epoch exactly one wins, in every round", () =>
      arena.race("one_commit_wins_each_epoch", { scale: scaled(200), watch: ["committer 5"] }));

    test("32 claimers get one key package of every device, none twice, and asking again changes nothing", () =>
      arena.race("key_packages_are_handed_out_once", { scale: reduced(125) }));

    test("conversations touched for the first time by 8 clients at once spawn one actor each", async () => {
      const run = "first touch";
      await arena.race("first_touch_prepare", { run, scale: reduced(1000) });
      await arena.restart();
      await arena.race("first_touch_spawns_each_actor_once", { run, scale: reduced(1000) });
    });

    test("at every quiet point unread is what its definition says", () =>
      arena.race("unread_equals_its_definition_when_quiet", { scale: scaled(15), watch: ["user 0", "user 1", "user 2"] }));

    test("a mixture of everything, with readers on streams", () =>
      arena.race("load", { scale: reduced(requests), watch: ["user 0", "user 1", "user 2"] }));

    test("all of it together is the history of one correct server", async (t) => t.diagnostic(await arena.check()));

    // The list reads the store, the epoch comes from the actor, and the store is ahead of the actor between a
    // COMMIT and its completion.
    test("what a reader was shown never goes back", async () => {
      const own = await Arena.start(mode);
      try {
        await own.race("reads_never_go_back", { scale: scaled(1000) });
        await own.check();
      } finally {
        await own.dispose();
      }
    });
  });
}

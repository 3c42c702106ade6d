// SPDX-License-Identifier: MIT
// What must hold after anything hostile: the server lives, nothing was written, and the log says
// nothing about anybody. Also the modes in which the server has to pass the same tests.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { DatabaseSync } from "node:sqlite";

const environments = { actors: { ENABLE_ACTOR_SYSTEM: "true" }, direct: { ENABLE_ACTOR_SYSTEM: "false" } };

/** [[name, environment]]: by default both gateways; CATBIRD_TEST_MODES chooses. */
export const modes = (process.env.CATBIRD_TEST_MODES ?? "actors,direct").split(",").map((name) => {
  assert.ok(environments[name], `CATBIRD_TEST_MODES: ${name}`);
  return [name, environments[name]];
});

/** One hash over every row of every table, the bytes included. Used tokens are not in the database. */
export function contentHash(server) {
  const path = server.environment.DATABASE_URL.slice("sqlite:".length);
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    const hash = createHash("sha256");
    const tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").all();
    assert.ok(tables.length > 8, "the tables are there");
    for (const { name } of tables) {
      hash.update(`\n${name}`);
      const rows = database.prepare(`SELECT * FROM "${name}"`);
      rows.setReadBigInts(true);  // checksums have 64 bits
      for (const row of rows.iterate()) {
        for (const value of Object.values(row)) hash.update(value instanceof Uint8Array ? value : `|${value}`);
      }
    }
    return hash.digest("hex");
  } finally {
    database.close();
  }
}

/** Runs `attack`; afterwards the database is the same, the server alive, the log clean. */
export async function withoutEffect(world, attack) {
  const before = contentHash(world.server);
  const said = world.server.lines.length;
  const result = await attack();
  const alive = await fetch(`${world.server.url}/health/ready`, { signal: AbortSignal.timeout(60_000) });
  assert.equal(alive.status, 200, "the server is alive and ready");
  assert.equal(contentHash(world.server), before, "nothing was written");
  for (const line of world.server.lines.slice(said)) {
    assert.doesNotMatch(line, /did:plc:|did:web:|eyJ[A-Za-z0-9_-]{20}|AddressSanitizer|runtime error|"level":"ERROR"/, line);
  }
  return result;
}

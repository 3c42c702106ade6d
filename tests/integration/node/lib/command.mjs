// SPDX-License-Identifier: MIT
// Runs the server binary as a command, to its end.
import { spawn } from "node:child_process";
import { serverBinary } from "./server.mjs";

const ceilingMs = 60_000;  // Against hangs; not a measurement.

/** { code, signal, out, err }: err as lines. `environment` is all it gets, beside PATH. */
export function runCommand(args, { cwd, environment = {} }) {
  return new Promise((resolve, reject) => {
    const child = spawn(serverBinary(), args, {
      cwd, timeout: ceilingMs, killSignal: "SIGKILL", stdio: ["ignore", "pipe", "pipe"],
      env: { PATH: process.env.PATH, ...(process.env.ASAN_OPTIONS ? { ASAN_OPTIONS: process.env.ASAN_OPTIONS } : {}), ...environment },
    });
    let [out, err] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text) => { out += text; });
    child.stderr.setEncoding("utf8").on("data", (text) => { err += text; });
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal, out, err: err.split("\n").filter(Boolean) }));
  });
}

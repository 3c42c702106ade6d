// SPDX-License-Identifier: MIT
// The short form; faults/kill9.test.mjs is the long one.
import { killUnderLoad } from "./lib/kill9.mjs";

killUnderLoad(Number(process.env.CATBIRD_KILL9_CYCLES ?? 10));

// SPDX-License-Identifier: MIT
// reliability.md G5: 50 cycles.
import { full } from "../lib/fault_server.mjs";
import { killUnderLoad } from "../lib/kill9.mjs";

killUnderLoad(full ? 50 : 3);

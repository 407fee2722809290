/**
 * What lse brings with real models on real databases: what ways of answering bring, and what kinds of edits bring. It may be
 * killed and started again.
 *
 *   npm run reproduce:real                        ways of answering; its options: -- --help
 *   npm run reproduce:real -- --part edits        kinds of edits, and methods; its options: -- --part edits --help
 */
import { parseArgs } from "node:util";

const { part } = parseArgs({
  options: { part: { type: "string", default: "strategies" } },
  strict: false,
}).values;
if (part === "edits") await import("./edits/run.js");
else await import("./strategies.js");

/** Where the bench keeps models, built programs and results. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Everything the bench writes: models, peers and results. Ignored by git. */
export const CACHE = fileURLToPath(new URL("../.cache/bench/", import.meta.url));

const PEERS = join(CACHE, "peers");

/** The source of llama.cpp that node-llama-cpp carries, checked out. */
export const SOURCE = join(PEERS, "source");
/** Where cmake builds llama-server. */
export const BUILD = join(PEERS, "build");

const executable = (name: string) => (process.platform === "win32" ? `${name}.exe` : name);

export const LLAMA_SERVER = join(BUILD, "bin", executable("llama-server"));
export const CPP_BOUND = join(PEERS, executable("bound"));

/** The command that makes the two programs above. */
export const BUILD_COMMAND = "npm run bench:peers";

export const isBuilt = (program: string) => existsSync(program);

/**
 * Runs that are over, in one Parquet file: what they paid for outlives their folders, and can be looked at elsewhere.
 * Configurations are not kept: they have the paths of a machine, and follow from the run.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { RunEvent } from "#lse/journal/journal.js";
import { readRows, writeRows } from "../parquet.js";

interface KeptRun {
  /** Name of its folder. */
  readonly run: string;
  /** Its journal, and its tree. */
  readonly events: string;
  readonly tree: string;
}

const filesOf = (folder: string, run: string) => ({
  config: join(folder, run, "config.json"),
  events: join(folder, run, "events.jsonl"),
  tree: join(folder, run, "tree.json"),
});

/** Puts kept runs into folders of their own, but for those that have one. */
export async function restoreRuns(
  path: string,
  folder: string,
  configOf: (run: string) => object,
): Promise<void> {
  if (!existsSync(path)) return;
  for (const { run, events, tree } of await readRows<KeptRun>(path)) {
    const at = filesOf(folder, run);
    if (existsSync(at.events)) continue;
    mkdirSync(join(folder, run), { recursive: true });
    writeFileSync(at.config, `${JSON.stringify(configOf(run), null, 2)}\n`);
    writeFileSync(at.tree, tree);
    writeFileSync(at.events, events);
  }
}

/** Replaces the file by these runs. */
export async function keepRuns(path: string, folder: string, runs: readonly string[]): Promise<void> {
  const rows = runs.map((run): KeptRun => {
    const at = filesOf(folder, run);
    return {
      run,
      events: withoutTokens(readFileSync(at.events, "utf8")),
      tree: readFileSync(at.tree, "utf8"),
    };
  });
  if (rows.length > 0) await writeRows(path, rows);
}

/** A journal without the ids and logprobs of tokens, which are most of it and pack badly; texts stay. */
const withoutTokens = (journal: string): string =>
  journal
    .split("\n")
    .map((line) => {
      const event = line === "" ? null : (JSON.parse(line) as RunEvent);
      if (event?.type !== "generation") return line;
      return JSON.stringify({ ...event, completion: { ...event.completion, tokens: [], logprobs: [] } });
    })
    .join("\n");

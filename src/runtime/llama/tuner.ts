/** The search for fast settings, one setting at a time. */
import { mkdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { z } from "zod";
import { replaceFile } from "../../lib/files.js";

/** What the speed of the engine depends on and no rule foretells. */
const settingsSchema = z.strictObject({
  threads: z.int().min(1),
  /** Most tokens of one decode. */
  batchSize: z.int().min(1),
  /** Completions generated at once. */
  sequences: z.int().min(1),
  flashAttention: z.boolean(),
});

export type EngineSettings = z.infer<typeof settingsSchema>;

/** For each setting the values to try; those a user has fixed have one. */
export type SettingsSpace = { readonly [K in keyof EngineSettings]: readonly EngineSettings[K][] };

/** A change has to gain this much, so that noise does not decide. */
const WORTHWHILE = 0.95;

/**
 * Finds fast settings one at a time: each setting's values are measured with the others held at the best found
 * so far, the most telling setting first. A value replaces the current one when it is at least 5 % faster.
 * Current value and challenger are measured in turn and their best times compared, because a machine that is
 * also busy with other things only ever makes a trial slower.
 *
 * @param measure seconds that a piece of the workload takes under these settings; null when they need too much memory
 */
export async function tune(
  start: EngineSettings,
  space: SettingsSpace,
  measure: (settings: EngineSettings) => Promise<number | null>,
): Promise<EngineSettings> {
  let best = start;
  for (const name of ["threads", "flashAttention", "sequences", "batchSize"] as const) {
    for (const value of space[name]) {
      if (value === best[name]) continue;
      const challenger = { ...best, [name]: value };
      const times = { best: Number.POSITIVE_INFINITY, challenger: Number.POSITIVE_INFINITY };
      for (let turn = 0; turn < 2; turn++) {
        times.best = Math.min(times.best, (await measure(best)) ?? Number.POSITIVE_INFINITY);
        times.challenger = Math.min(
          times.challenger,
          (await measure(challenger)) ?? Number.POSITIVE_INFINITY,
        );
      }
      if (times.challenger < WORTHWHILE * times.best) best = challenger;
    }
  }
  return best;
}

/** Powers of two up to `cores`, and all cores but one: the counts between seldom differ. */
export function threadCounts(cores: number): number[] {
  const powers = Array.from({ length: Math.floor(Math.log2(cores)) + 1 }, (_, i) => 2 ** i);
  return [...new Set([...powers, Math.max(1, cores - 1), cores])].sort((a, b) => a - b);
}

/** Settings that an earlier process found; null when there are none that this version can read. */
export function rememberedSettings(path: string): EngineSettings | null {
  try {
    return settingsSchema.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    return null;
  }
}

export function rememberSettings(path: string, settings: EngineSettings): void {
  mkdirSync(dirname(path), { recursive: true });
  replaceFile(path, JSON.stringify(settings));
}

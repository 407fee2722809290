/** The trial by which settings are measured: a scaled-down workload. */
import { type ContextOptions, MAX_SEQUENCES, NativeContext } from "./context.js";
import { KvCache } from "./kv-cache.js";
import type { NativeLlama, Pointer } from "./native.js";
import { type Job, Scheduler } from "./scheduler.js";
import type { EngineSettings } from "./tuner.js";

/** A trial of this length shows differences of 5 %, and two dozen of them take some seconds. */
const TRIAL_SECONDS = 0.3;
/** The most a trial takes of the workload; a slow model gets a tenth of it at the least. */
const WHOLE = { prompts: 64, shared: 512, own: 32, generated: 12 };
const LEAST_SHARE = 0.1;

/** Takes a fixed number of rows and lets tokens of the prompt follow: the same work under all settings. */
class FixedLength implements Job {
  readonly tokens: number[] = [];

  constructor(
    readonly prompt: readonly number[],
    private readonly length: number,
  ) {}

  take(): boolean {
    this.tokens.push(this.prompt[this.tokens.length % this.prompt.length] as number);
    return this.tokens.length >= this.length;
  }
}

/**
 * A trial run of a workload: its prompts with as much of what they share and of their own as the model does in
 * about 0.3 s, each with a few generated tokens.
 * @param prompts token ids
 * @param start settings that work, to find out how fast the model is
 * @returns a function that runs the trial and gives its seconds, or null when the settings need too much memory
 */
export async function trialOf(
  native: NativeLlama,
  weights: Pointer,
  kvType: ContextOptions["kvType"],
  prompts: readonly (readonly number[])[],
  start: EngineSettings,
): Promise<(settings: EngineSettings) => Promise<number | null>> {
  const run = async (
    { threads, batchSize, sequences, flashAttention }: EngineSettings,
    trial: readonly (readonly number[])[],
    generated: number,
  ): Promise<number | null> => {
    const cells = trial.reduce((sum, { length }) => sum + length + generated, 256);
    const context = await NativeContext.create(native, weights, {
      threads,
      cells,
      batchSize,
      flashAttention,
      kvType,
      maxRows: sequences,
    });
    if (context === null) return null;
    try {
      const cache = new KvCache(context, context.cells, MAX_SEQUENCES);
      const jobs = trial.map((prompt) => new FixedLength(prompt, generated));
      const started = performance.now();
      await new Scheduler(context, cache, sequences).run("", jobs);
      return (performance.now() - started) / 1000;
    } finally {
      context.free();
    }
  };

  const small = excerpt(prompts, LEAST_SHARE);
  const seconds = (await run(start, small.prompts, small.generated)) ?? TRIAL_SECONDS;
  const share = Math.min(1, Math.max(LEAST_SHARE, (LEAST_SHARE * TRIAL_SECONDS) / seconds));
  const trial = excerpt(prompts, share);
  return (settings) => run(settings, trial.prompts, trial.generated);
}

/** The workload scaled down: fewer prompts, of each less of what all share, but enough of its own to differ. */
function excerpt(prompts: readonly (readonly number[])[], share: number) {
  const scaled = (value: number) => Math.max(4, Math.round(value * share));
  const chosen = prompts.slice(0, scaled(WHOLE.prompts));
  const first = chosen[0] ?? [];
  let common = 0;
  while (common < first.length && chosen.every((prompt) => prompt[common] === first[common])) common++;
  const shared = Math.min(common, scaled(WHOLE.shared));
  return {
    prompts: chosen.map((prompt) => [
      ...prompt.slice(0, shared),
      ...prompt.slice(common, common + WHOLE.own),
      prompt.at(-1) as number,
    ]),
    generated: scaled(WHOLE.generated),
  };
}

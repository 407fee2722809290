/** Many runs at once that share models: what they ask for is generated in one call. */
import {
  type Completion,
  emptyUsage,
  type GenerateRequest,
  type LanguageModel,
  type Usage,
} from "../model.js";

/** Gives a run its place at a model; it may take several. */
export type Seat = (model: LanguageModel) => LanguageModel;

/** A `generate` that waits for the others'. */
interface Call {
  readonly model: LanguageModel;
  /** Of the seat that asks. */
  readonly usage: Usage;
  readonly requests: readonly GenerateRequest[];
  readonly onCompletion: ((index: number, completion: Completion) => void) | undefined;
  readonly signal: AbortSignal | undefined;
  readonly resolve: (completions: Completion[]) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Carries out many runs at once that each ask their models a little at a time: as soon as every run waits for a
 * model or is done, what they ask for is generated in one call a model. An engine is several times faster at that
 * than at one run after the other, and since nothing depends on who asks first, the calls are always the same.
 * @param runs must use no model but those they have a seat at
 * @returns their results, in order
 * @throws the first error of a run; the others fail at their next call
 */
export async function together<T>(runs: readonly ((seat: Seat) => Promise<T>)[]): Promise<T[]> {
  const waiting = new Map<number, Call>();
  let running = runs.length;
  let failure: { readonly error: unknown } | undefined;

  const fail = (error: unknown) => {
    failure ??= { error };
    for (const call of waiting.values()) call.reject(failure.error);
    waiting.clear();
  };
  const generateIfAllWait = () => {
    if (running === 0 || waiting.size < running) return;
    const calls = [...waiting].sort(([a], [b]) => a - b).map(([, call]) => call);
    waiting.clear();
    const models = [...new Set(calls.map(({ model }) => model))];
    void (async () => {
      for (const model of models) await generateAll(calls.filter((call) => call.model === model));
    })().catch((error) => {
      for (const call of calls) call.reject(error);
    });
  };
  const seatOf = (run: number) => (model: LanguageModel) =>
    new SeatedModel(
      model,
      (usage, requests, onCompletion, signal) =>
        new Promise((resolve, reject) => {
          if (failure !== undefined) return reject(failure.error);
          if (waiting.has(run)) return reject(new Error("a run asks again before it has its answer"));
          waiting.set(run, { model, usage, requests, onCompletion, signal, resolve, reject });
          generateIfAllWait();
        }),
    );
  const settled = await Promise.allSettled(
    runs.map(async (run, i) => {
      try {
        return await run(seatOf(i));
      } catch (error) {
        fail(error);
        throw error;
      } finally {
        running--;
        generateIfAllWait();
      }
    }),
  );
  if (failure !== undefined) throw (failure as { error: unknown }).error;
  return settled.map((result) => (result as PromiseFulfilledResult<T>).value);
}

/** One call of the model for all of `calls`, which are for the same one. */
async function generateAll(calls: readonly Call[]): Promise<void> {
  const { model } = calls[0] as Call;
  const origin = calls.flatMap((call) => call.requests.map((_, index) => ({ call, index })));
  const signals = calls.map(({ signal }) => signal).filter((signal) => signal !== undefined);
  const before = { ...model.usage };
  const completions = await model.generate(
    calls.flatMap(({ requests }) => requests),
    (position, completion) => {
      const { call, index } = origin[position] as (typeof origin)[number];
      call.onCompletion?.(index, completion);
    },
    signals.length === 0 ? undefined : AbortSignal.any([...new Set(signals)]),
  );
  const total = workOf(completions);
  let from = 0;
  for (const { requests, usage, resolve } of calls) {
    const own = completions.slice(from, from + requests.length);
    addShare(usage, own, total === 0 ? 0 : workOf(own) / total, [before, model.usage]);
    resolve(own);
    from += requests.length;
  }
}

const workOf = (completions: readonly Completion[]): number =>
  completions.reduce((sum, { promptTokens, generatedTokens }) => sum + promptTokens + generatedTokens, 0);

/**
 * Adds a seat's part of a call to its usage: its own completions, and of what the call took as a whole (time, and
 * prompt tokens evaluated) a share by its tokens.
 */
function addShare(
  usage: Usage,
  own: readonly Completion[],
  share: number,
  [before, after]: readonly [Readonly<Usage>, Readonly<Usage>],
): void {
  usage.completions += own.length;
  usage.promptTokensAsked += own.reduce((sum, { promptTokens }) => sum + promptTokens, 0);
  usage.tokensGenerated += own.reduce((sum, { generatedTokens }) => sum + generatedTokens, 0);
  usage.promptTokensEvaluated += share * (after.promptTokensEvaluated - before.promptTokensEvaluated);
  usage.seconds += share * (after.seconds - before.seconds);
}

type SeatedGenerate = (
  usage: Usage,
  ...asked: Parameters<LanguageModel["generate"]>
) => Promise<Completion[]>;

/** A run's place at a model, with the usage of this run alone. */
class SeatedModel implements LanguageModel {
  readonly usage = emptyUsage();

  constructor(
    private readonly model: LanguageModel,
    private readonly ask: SeatedGenerate,
  ) {}

  generate(...asked: Parameters<LanguageModel["generate"]>): Promise<Completion[]> {
    return this.ask(this.usage, ...asked);
  }

  get fingerprint() {
    return this.model.fingerprint;
  }

  get contextSize() {
    return this.model.contextSize;
  }

  /** What is asked for together depends on the other runs. */
  get repeats() {
    return this.model.repeats === "request" ? this.model.repeats : "nothing";
  }

  countTokens(messages: Parameters<LanguageModel["countTokens"]>[0]) {
    return this.model.countTokens(messages);
  }

  logprobs(...args: Parameters<LanguageModel["logprobs"]>) {
    return this.model.logprobs(...args);
  }

  useAdapter(): Promise<void> {
    throw new Error("the model is not this run's alone; give it a seat at an AdaptedModel");
  }

  /** The model goes on: it is not the run's. */
  async [Symbol.asyncDispose](): Promise<void> {}
}

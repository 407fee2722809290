/** A model in training: its parameters, its graphs, its optimizers. It computes on the thread it is called on. */
import { z } from "zod";
import { LseError } from "../errors.js";
import { readModel } from "../gguf/read-model.js";
import { hashJson } from "../lib/hash.js";
import { ggmlDecoders } from "../runtime/llama/ggml.js";
import { foldRows, packRows, type Row, splitRows, totalWeight } from "./batch.js";
import { readCheckpoint, writeCheckpoint } from "./checkpoint.js";
import { checkProvider, graphStyle } from "./gradient-check.js";
import { LayeredSession } from "./layered-session.js";
import { initialLora, initialParameters } from "./model/initial.js";
import { addLookupHeads } from "./model/lookup-heads.js";
import type { Loss } from "./model/qwen-graph.js";
import { checkSpec, type LoraSpec, type ModelSpec, type Parameters, parametersOf } from "./model/spec.js";
import type { ParameterGroup } from "./optimizer/groups.js";
import { openOptimizers } from "./optimizer/open.js";
import { rateFactor, type Schedule } from "./optimizer/schedule.js";
import { type ModelSession, type Provider, QwenSession } from "./session.js";

/** Where the parameters come from. An adapter that is not among them begins at random, changing nothing. */
export type Start =
  | { readonly from: "random"; readonly seed: number; readonly lookupHeads: boolean }
  | { readonly from: "parameters"; readonly parameters: Parameters; readonly seed: number }
  /** A GGUF, read by the trainer's own thread: a large model is in memory once. */
  | { readonly from: "file"; readonly path: string; readonly adapter?: Parameters; readonly seed: number };

/** What is trained, from where, by which rules, and on what. */
export interface TrainerOptions {
  readonly spec: ModelSpec;
  /** Trains an adapter and leaves the model as it is. */
  readonly lora?: LoraSpec;
  readonly loss: Loss;
  readonly groups: readonly ParameterGroup[];
  readonly schedule: Schedule;
  /** Gradients of a greater length, all parameters taken together, are shortened to this; Infinity leaves them. */
  readonly clipNorm: number;
  readonly start: Start;
  /** Goes on from an earlier `save`: what was trained, the optimizers and the step are taken from there. */
  readonly checkpoint?: string;
  readonly provider: Provider;
  /** CPU threads. The same number gives the same results to the last bit. */
  readonly threads: number;
  /** Positions, padding included, that are computed at once; a step of more accumulates. Bounds the memory. */
  readonly microTokens: number;
  /** Computes layer by layer, and each again on the way back: a fraction of the memory, a third more time. */
  readonly recompute?: boolean;
}

/** What a step of training did. */
export interface StepResult {
  /** From 1. */
  readonly step: number;
  /** The mean over the weighted tokens, before the update. */
  readonly loss: number;
  /** Tokens that were predicted. */
  readonly tokens: number;
  /** Length of the gradient before clipping. */
  readonly gradNorm: number;
  /** Policy gradient: how far the rows' `oldLogprobs` are from the model's own before the update, a mean in nats a token. */
  readonly logprobGap?: number;
}

const aboutSchema = z.object({
  format: z.literal(1),
  model: z.string(),
  step: z.int().nonnegative(),
  progress: z.unknown(),
});

export class TrainEngine {
  /** Steps taken. */
  step = 0;
  /** What the caller kept in the checkpoint that this began with; null otherwise. */
  progress: unknown = null;
  readonly #optimizers;
  readonly #trained: readonly string[];
  #forward: ModelSession<Float32Array> | undefined;

  private constructor(
    private readonly options: TrainerOptions,
    private readonly parameters: Readonly<Record<string, Float32Array>>,
    private readonly training: ModelSession<Float32Array>,
  ) {
    const { trained } = parametersOf(options.spec, options.lora);
    this.#trained = trained.map(({ name }) => name);
    this.#optimizers = openOptimizers(options.groups, trained, options.threads);
  }

  /**
   * @param check whether the provider has to prove itself first
   * @param ggml the library that decodes quantised weights (`ggmlLibrary`), for a file that has some
   * @throws LseError for options that cannot be, or a provider that is missing or wrong
   */
  static async open(options: TrainerOptions, check: boolean, ggml?: string): Promise<TrainEngine> {
    const { spec, lora, loss, provider } = options;
    checkSpec(spec, lora);
    if (!(options.microTokens >= 1 && options.clipNorm > 0))
      throw new LseError("microTokens or clipNorm is not above 0", "Give numbers above 0");
    if (check) await checkProvider(provider);
    const checkpoint =
      options.checkpoint === undefined ? undefined : await readCheckpoint(options.checkpoint);
    const parameters = await initial(options, checkpoint?.tensors, ggml);
    const training = await openSession(options, loss);
    const engine = new TrainEngine(options, parameters, training);
    if (checkpoint !== undefined) engine.#restore(checkpoint.tensors, checkpoint.about);
    return engine;
  }

  /** One update from all rows. @throws LseError, with nothing changed, when the loss is not a number */
  async train(rows: readonly Row[]): Promise<StepResult> {
    const { spec, microTokens, clipNorm, schedule } = this.options;
    const weight = totalWeight(rows);
    if (!(weight > 0)) throw new LseError("no token of the step counts", "Give a weight above 0 to some");
    const gradients = Object.fromEntries(
      this.#trained.map((name) => [name, new Float32Array(this.parameters[name]?.length ?? 0)]),
    );
    let loss = 0;
    let tokens = 0;
    let gap = 0;
    const folded = foldRows(rows, spec.contextLength).map(({ row }) => row);
    for (const part of splitRows(folded, microTokens)) {
      const batch = packRows(
        part.map((row) => folded[row] as Row),
        spec,
        "weighted",
      );
      if (batch.at.length === 0) continue;
      const result = await this.training.run(this.parameters, batch, 1 / weight);
      loss += result.loss;
      tokens += batch.at.length;
      gap += result.logprobs.reduce((sum, own, i) => sum + Math.abs(own - (batch.old[i] as number)), 0);
      for (const [name, sum] of Object.entries(gradients)) accumulate(sum, result.gradients[name]);
    }
    const gradNorm = lengthOf(gradients);
    if (!Number.isFinite(loss) || !Number.isFinite(gradNorm))
      throw new LseError(
        `the loss at step ${this.step + 1} is ${loss}, the gradient's length ${gradNorm}`,
        "Continue from a checkpoint with a lower learning rate",
      );
    if (gradNorm > clipNorm) scaleAll(gradients, clipNorm / gradNorm);
    this.step++;
    const factor = rateFactor(schedule, this.step);
    for (const { optimizer, rate } of this.#optimizers)
      await optimizer.step(this.step, rate * factor, this.parameters, gradients);
    const isPolicyGradient = this.options.loss.kind === "policy-gradient";
    return {
      ...{ step: this.step, loss, tokens, gradNorm },
      ...(isPolicyGradient && { logprobGap: gap / tokens }),
    };
  }

  /** The logprobs of all tokens of all continuations, [row][continuation][token], in nats. */
  async logprobs(rows: readonly Row[]): Promise<Float32Array[][]> {
    const { spec, microTokens } = this.options;
    this.#forward ??= await openSession(this.options, null);
    const results = rows.map((row) => row.continuations.map(({ tokens }) => new Float32Array(tokens.length)));
    const folded = foldRows(rows, spec.contextLength);
    const short = folded.map(({ row }) => row);
    for (const part of splitRows(short, microTokens)) {
      const batch = packRows(
        part.map((row) => short[row] as Row),
        spec,
        "all",
      );
      if (batch.at.length === 0) continue;
      const { logprobs } = await this.#forward.run(this.parameters, batch);
      batch.origin.forEach(([row, continuation, token], i) => {
        const { from, first } = folded[part[row] as number] as (typeof folded)[number];
        const target = results[from]?.[first + continuation] as Float32Array;
        target[token] = logprobs[i] as number;
      });
    }
    return results;
  }

  /** The adapter's parameters, or without one all. Not a copy. */
  get trained(): Parameters {
    return Object.fromEntries(this.#trained.map((name) => [name, this.parameters[name] as Float32Array]));
  }

  /** @param progress what the caller needs to continue, such as the state of its data; anything JSON can hold */
  async save(path: string, progress: unknown): Promise<void> {
    const states = this.#optimizers.map(({ optimizer }) => optimizer.state());
    const tensors = Object.assign({}, this.trained, ...states) as Parameters;
    const about: z.infer<typeof aboutSchema> = {
      format: 1,
      model: modelKey(this.options),
      step: this.step,
      progress,
    };
    await writeCheckpoint(path, { tensors, about });
  }

  async release(): Promise<void> {
    await this.training.release();
    await this.#forward?.release();
    for (const { optimizer } of this.#optimizers) await optimizer.release();
  }

  #restore(tensors: Parameters, about: unknown): void {
    const known = aboutSchema.safeParse(about);
    if (!known.success || known.data.model !== modelKey(this.options))
      throw new LseError(
        "the checkpoint is of another model or adapter",
        "Continue with the sizes that it was written with",
      );
    for (const { optimizer } of this.#optimizers) optimizer.restore(tensors);
    this.step = known.data.step;
    this.progress = known.data.progress;
  }
}

/** Sizes of model and adapter; a checkpoint fits where these are the same. */
function modelKey({ spec, lora }: TrainerOptions): string {
  const { family, shape, vocabulary, contextLength } = spec;
  const { trained } = parametersOf(spec, lora);
  const names = trained.map(({ name, dims }) => [name, dims]);
  const sizes = [shape.heads, shape.kvHeads, shape.headDim, vocabulary, contextLength];
  return hashJson([family, shape.layers, sizes, names, lora?.alpha ?? null]);
}

async function openSession(
  { spec, lora, provider, threads, recompute = false }: TrainerOptions,
  loss: Loss | null,
): Promise<ModelSession<Float32Array>> {
  const graph = { spec, lora, loss, gradients: loss !== null, ...graphStyle(provider) };
  return await (recompute ? LayeredSession : QwenSession).open(graph, { provider, threads });
}

async function initial(
  { spec, lora, start }: TrainerOptions,
  saved: Parameters = {},
  ggml?: string,
): Promise<Record<string, Float32Array>> {
  const { all, trained } = parametersOf(spec, lora);
  const given = {
    ...(lora && initialLora(spec, lora, start.seed)),
    ...(await weightsOf(start, spec, ggml)),
    ...saved,
  };
  const changing = new Set(trained.map(({ name }) => name));
  return Object.fromEntries(
    all.map(({ name, dims: [rows, columns = 1] }) => {
      const values = given[name];
      if (values?.length !== rows * columns)
        throw new LseError(
          `parameter ${name} is missing or not of ${rows * columns} numbers`,
          "Give the parameters of a model of these sizes",
        );
      return [name, changing.has(name) ? Float32Array.from(values) : values];
    }),
  );
}

async function weightsOf(start: Start, spec: ModelSpec, ggml?: string): Promise<Parameters> {
  if (start.from === "parameters") return start.parameters;
  if (start.from === "file") {
    const decoders = ggml === undefined ? undefined : ggmlDecoders(ggml);
    return { ...(await readModel(start.path, decoders)).parameters, ...start.adapter };
  }
  const parameters = initialParameters(spec, start.seed);
  if (start.lookupHeads) addLookupHeads(parameters, spec, start.seed);
  return parameters;
}

function accumulate(sum: Float32Array, more: Float32Array | undefined): void {
  if (more === undefined) throw new Error("a gradient is missing");
  for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] as number) + (more[i] as number);
}

function lengthOf(gradients: Parameters): number {
  let sum = 0;
  for (const values of Object.values(gradients)) for (const g of values) sum += g * g;
  return Math.sqrt(sum);
}

function scaleAll(gradients: Parameters, factor: number): void {
  for (const values of Object.values(gradients))
    for (let i = 0; i < values.length; i++) values[i] = (values[i] as number) * factor;
}

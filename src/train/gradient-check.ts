/**
 * Whether gradients are right. In float64 on the CPU they are compared with finite differences of the loss; an
 * execution provider in float32 is then compared with that.
 */
import { LseError } from "../errors.js";
import { deriveSeed, gaussianStream } from "../lib/random.js";
import { type PackedRows, packRows } from "./batch.js";
import type { Numbers } from "./feeds.js";
import { LayeredSession } from "./layered-session.js";
import { initialLora, initialParameters } from "./model/initial.js";
import type { Loss } from "./model/qwen-graph.js";
import type { LoraSpec, ModelSpec } from "./model/spec.js";
import { type Provider, QwenSession } from "./session.js";

/** Relative; what float64 gives is near 1e-8. */
const MOST_DIFFERENCE = 1e-5;
/** Relative, of a whole array in float32: rounding gives 1e-6 to 1e-5, the faults met so far 1. */
const MOST_PROVIDER_ERROR = 1e-3;
const DIRECTIONS = 3;
const STEP = 1e-5;

/**
 * Compares gradients with central differences of the loss along random directions, for each parameter apart.
 * @returns the largest |difference| / (|slope| + a thousandth of the gradient's length)
 */
export async function differenceFromSlopes(
  lossAt: (parameters: Numbers) => Promise<number>,
  parameters: Numbers,
  gradients: Numbers,
  directions: number,
): Promise<number> {
  let worst = 0;
  for (const [name, gradient] of Object.entries(gradients)) {
    const length = Math.hypot(...gradient);
    for (let direction = 0; direction < directions; direction++) {
      const gaussian = gaussianStream(deriveSeed("direction", name, direction));
      const along = Float64Array.from(gradient, gaussian);
      const norm = Math.hypot(...along);
      const moved = (step: number) => ({
        ...parameters,
        [name]: Float64Array.from(parameters[name] ?? [], (x, i) => x + (step * (along[i] ?? 0)) / norm),
      });
      const slope = ((await lossAt(moved(STEP))) - (await lossAt(moved(-STEP)))) / (2 * STEP);
      const expected = along.reduce((sum, a, i) => sum + (a * (gradient[i] ?? 0)) / norm, 0);
      worst = Math.max(worst, Math.abs(slope - expected) / (Math.abs(slope) + 1e-3 * length + 1e-9));
    }
  }
  return worst;
}

/** The largest relative distance of any array from the reference's. */
export function largestError(values: Numbers, reference: Numbers): number {
  let worst = 0;
  for (const [name, expected] of Object.entries(reference)) {
    const found = values[name] ?? [];
    let distance = 0;
    let length = 0;
    expected.forEach((x: number, i: number) => {
      distance += (x - (found[i] ?? Number.NaN)) ** 2;
      length += x * x;
    });
    const error = Math.sqrt(distance / (length + 1e-24));
    // A NaN must not pass for small.
    worst = error <= worst ? worst : Number.isNaN(error) ? Number.POSITIVE_INFINITY : error;
  }
  return worst;
}

/** A small problem that reaches every rule: two layers, shared heads, a packed row, tokens inside and outside the clip. */
export interface CheckCase {
  readonly spec: ModelSpec;
  readonly lora?: LoraSpec;
  readonly loss: Loss;
  readonly parameters: Numbers;
  readonly batch: PackedRows;
}

export function checkCase(
  family: ModelSpec["family"],
  options: { readonly lora?: LoraSpec; readonly loss: Loss; readonly tied: boolean },
): CheckCase {
  const { tied, loss, lora } = options;
  const shape = { layers: 2, embedding: 16, heads: 4, kvHeads: 2, headDim: 4, feedForward: 12, tied };
  const spec: ModelSpec = { family, shape, vocabulary: 11, contextLength: 16 };
  const gaussian = gaussianStream(deriveSeed("gradient check", family));
  const parameters = Object.fromEntries(
    Object.entries({ ...initialParameters(spec, 1), ...(lora && initialLora(spec, lora, 1)) }).map(
      // Norms off 1, biases and adapters off 0: at the beginning many gradients vanish.
      ([name, values]) => [name, Float64Array.from(values, (x) => x + 0.2 * gaussian())],
    ),
  );
  // Uniform probabilities are 1/11; ratios to these are on both sides of the clip.
  const old = (count: number) => Array.from({ length: count }, () => -Math.log(11) + 0.5 * gaussian());
  const olds = (count: number) => ({ oldLogprobs: old(count), referenceLogprobs: old(count) });
  const rows = [
    {
      prefix: [1, 2, 3],
      continuations: [
        { tokens: [4, 5, 6], advantage: 1.5, ...olds(3) },
        { tokens: [7, 4], weights: [0, 0.5], advantage: -0.7, ...olds(2) },
        { tokens: [5], advantage: -1.2, ...olds(1) },
      ],
    },
    { prefix: [9], continuations: [{ tokens: [2, 2, 10, 0], advantage: 0.8, ...olds(4) }] },
  ];
  return { spec, loss, parameters, batch: packRows(rows, spec, "weighted"), ...(lora && { lora }) };
}

/** Gradients of a case in float64 on the CPU, and how far they are from the slopes of the loss. */
export async function referenceGradients(
  { spec, lora, loss, parameters, batch }: CheckCase,
  directions = DIRECTIONS,
): Promise<{ gradients: Numbers; loss: number; difference: number }> {
  const graph = { spec, lora, loss, float: "float64", fused: false, gradients: true } as const;
  const cpu = { provider: "cpu", threads: 1 } as const;
  const whole = await QwenSession.open(graph, cpu);
  const forward = await QwenSession.open({ ...graph, gradients: false }, cpu);
  try {
    const found = await whole.run(parameters, batch);
    const lossAt = async (at: Numbers) => (await forward.run(at, batch)).loss;
    const difference = await differenceFromSlopes(lossAt, parameters, found.gradients, directions);
    return { gradients: found.gradients, loss: found.loss, difference };
  } finally {
    await whole.release();
    await forward.release();
  }
}

/** How graphs are written for a provider. */
export function graphStyle(provider: Provider): { readonly float: "float32"; readonly fused: boolean } {
  return { float: "float32", fused: provider !== "webgpu" };
}

/** Largest relative error of a provider's gradients of a case, computed layer by layer or as one graph. */
export async function providerError(
  { spec, lora, loss, parameters, batch }: CheckCase,
  provider: Provider,
  reference: Numbers,
  layered = false,
): Promise<number> {
  const graph = { spec, lora, loss, gradients: true, ...graphStyle(provider) };
  const session = await (layered ? LayeredSession : QwenSession).open(graph, { provider, threads: 1 });
  try {
    return largestError((await session.run(parameters, batch)).gradients, reference);
  } finally {
    await session.release();
  }
}

const LORA: LoraSpec = { rank: 2, alpha: 4 };
const CLIPPED: Loss = { kind: "policy-gradient", clip: 0.2, kl: 0.5 };

/**
 * Tests a provider with both families, losses and an adapter: a fraction of a second, before its first use.
 * @param errorOf replaced by tests
 * @throws LseError for a provider that is not there or whose gradients are wrong
 */
export async function checkProvider(provider: Provider, errorOf = providerError): Promise<void> {
  const cases = [
    checkCase("qwen2", { tied: true, loss: CLIPPED }),
    checkCase("qwen3", { tied: false, loss: { kind: "cross-entropy" } }),
    checkCase("qwen3", { tied: true, loss: CLIPPED, lora: LORA }),
  ];
  for (const each of cases) {
    const { gradients, difference } = await referenceGradients(each, 1);
    if (!(difference <= MOST_DIFFERENCE))
      throw new Error(`the reference gradients differ from the slopes of the loss by ${difference}`);
    const error = await errorOf(each, provider, gradients);
    if (error <= MOST_PROVIDER_ERROR) continue;
    throw new LseError(
      `the execution provider ${provider} computes wrong gradients here (relative error ${error.toExponential(1)})`,
      "Take the provider cpu, or another driver",
    );
  }
}

import { Tensor as OrtTensor } from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { deriveSeed, gaussianStream } from "#lse/lib/random.js";
import type { Numbers } from "#lse/train/feeds.js";
import {
  checkCase,
  checkProvider,
  differenceFromSlopes,
  largestError,
  providerError,
  referenceGradients,
} from "#lse/train/gradient-check.js";
import { attention, rotaryTable, rotate } from "#lse/train/graph/attention.js";
import { backward } from "#lse/train/graph/backward.js";
import { Graph, type Tensor } from "#lse/train/graph/graph.js";
import {
  gatherRows,
  linear,
  reshape,
  rmsNorm,
  scale,
  sum,
  swapMiddle,
  swiGlu,
} from "#lse/train/graph/layers.js";
import { clippedPolicyGradient, crossEntropy, divergence, tokenLogprobs } from "#lse/train/graph/losses.js";
import { multiply, total } from "#lse/train/graph/primitives.js";
import { openSession } from "#lse/train/session.js";

const BOUND = 1e-5;
const CPU = { provider: "cpu", threads: 1 } as const;

interface OpCase {
  /** The name on the tape. */
  readonly op: string;
  /** Sizes of the inputs that gradients are wanted for. */
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  readonly build: (graph: Graph, inputs: Readonly<Record<string, Tensor>>) => Tensor;
  /** Values that random ones would not do for. */
  readonly values?: Numbers;
}

/** Whole numbers as a constant of the graph, with sizes. */
const integers = (graph: Graph, values: readonly number[], dims: readonly number[]) =>
  graph.reshape(graph.integers(values), dims);

/** Whether position q may look at k: causal, with one hole. */
const MASK = Array.from({ length: 2 * 25 }, (_, i) => {
  const [k, q] = [i % 5, Math.floor(i / 5) % 5];
  return k > q || (q === 4 && k === 1) ? -1e9 : 0;
});

const OLD = [-1.2, -2.5, -0.7, -1.9, -1.5, -1];
const LOGPROBS = Float64Array.of(-1.1, -1.1, -1.4, -1.9, -1, -1.6);
const ADVANTAGES = [1, 1, 1, -1, -1, -1];
const WEIGHTS = [0.1, 0.2, 0.3, 0.15, 0.25, 0];

const heads = (x: Readonly<Record<string, Tensor>>) => [x.q, x.k, x.v] as [Tensor, Tensor, Tensor];

const OPS: readonly OpCase[] = [
  { op: "sum", inputs: { a: [3, 4], b: [3, 4] }, build: (g, { a, b }) => sum(g, a as Tensor, b as Tensor) },
  { op: "scale", inputs: { a: [3, 4] }, build: (g, { a }) => scale(g, a as Tensor, -1.7) },
  { op: "reshape", inputs: { a: [3, 4] }, build: (g, { a }) => reshape(g, a as Tensor, [2, 6]) },
  { op: "swapMiddle", inputs: { a: [2, 3, 4, 5] }, build: (g, { a }) => swapMiddle(g, a as Tensor) },
  {
    op: "linear",
    inputs: { x: [5, 3], w: [4, 3], b: [4] },
    build: (g, { x, w, b }) => linear(g, x as Tensor, w as Tensor, b),
  },
  {
    // Row 2 three times: its gradient is a sum.
    op: "gatherRows",
    inputs: { table: [5, 3] },
    build: (g, { table }) => gatherRows(g, table as Tensor, g.integers([2, 0, 2, 4, 2])),
  },
  {
    op: "rmsNorm",
    inputs: { x: [5, 6], gain: [6] },
    build: (g, { x, gain }) => rmsNorm(g, x as Tensor, gain as Tensor, 1e-2),
  },
  {
    op: "swiGlu",
    inputs: { gate: [4, 5], up: [4, 5] },
    build: (g, { gate, up }) => swiGlu(g, gate as Tensor, up as Tensor),
  },
  {
    op: "rotate",
    inputs: { x: [2, 3, 4, 6] },
    build: (g, { x }) => {
      const positions = integers(g, [0, 1, 2, 3, 5, 2, 9, 0], [2, 4]);
      return rotate(g, x as Tensor, rotaryTable(g, positions, 10, 6, 100));
    },
  },
  {
    // Six query heads on two key heads.
    op: "attention",
    inputs: { q: [2, 6, 5, 4], k: [2, 2, 5, 4], v: [2, 2, 5, 4] },
    build: (g, x) => attention(g, ...heads(x), g.constant(MASK, [2, 1, 5, 5])),
  },
  {
    op: "tokenLogprobs",
    inputs: { logits: [4, 6] },
    build: (g, { logits }) => tokenLogprobs(g, logits as Tensor, integers(g, [5, 0, 3, 0], [4, 1])),
  },
  {
    op: "crossEntropy",
    inputs: { logprobs: [6, 1] },
    build: (g, { logprobs }) => crossEntropy(g, logprobs as Tensor, g.constant(WEIGHTS, [6, 1])),
  },
  {
    op: "clippedPolicyGradient",
    inputs: { logprobs: [6, 1] },
    values: { logprobs: LOGPROBS },
    build: (g, { logprobs }) => {
      const column = (values: readonly number[]) => g.constant(values, [6, 1]);
      const [old, advantages, weights] = [OLD, ADVANTAGES, WEIGHTS].map(column) as [Tensor, Tensor, Tensor];
      return clippedPolicyGradient(g, logprobs as Tensor, old, advantages, weights, 0.2);
    },
  },
  {
    op: "divergence",
    inputs: { logprobs: [6, 1] },
    build: (g, { logprobs }) =>
      divergence(g, logprobs as Tensor, g.constant(OLD, [6, 1]), g.constant(WEIGHTS, [6, 1]), 0.7),
  },
];

/** @param plant changes the graph's tape before the gradients are built */
async function differenceOf({ op, inputs, build, values }: OpCase, plant?: (graph: Graph) => void) {
  const graph = new Graph({ float: "float64", fused: false });
  const gaussian = gaussianStream(deriveSeed(op));
  const random = (dims: readonly number[]) =>
    new Float64Array(dims.reduce((product, size) => product * size, 1)).map(() => gaussian());
  const tensors = Object.fromEntries(
    Object.entries(inputs).map(([name, dims]) => [name, graph.parameter(name, dims)]),
  );
  const output = build(graph, tensors);
  expect(graph.tape.map((entry) => entry.op)).toEqual([op]);
  // Any loss will do that makes the gradients of the outputs differ.
  let loss = output;
  if (output.dims.length > 0) {
    const weights = graph.constant(random(output.dims as number[]), output.dims as number[]);
    loss = graph.record("test", total(graph, multiply(graph, output, weights)), [output], (d) => [
      multiply(graph, weights, d),
    ]);
  }
  plant?.(graph);
  const names = Object.keys(inputs);
  graph.output(loss, "loss");
  backward(graph, loss, Object.values(tensors)).forEach((gradient, i) => {
    graph.output(gradient, `d ${names[i]}`);
  });
  const session = await openSession(graph, CPU);
  const run = async (at: Numbers) =>
    await session.run(
      Object.fromEntries(
        Object.entries(inputs).map(([name, dims]) => [
          name,
          new OrtTensor("float64", at[name] as Float64Array, dims),
        ]),
      ),
    );
  const at = values ?? Object.fromEntries(Object.entries(inputs).map(([name, dims]) => [name, random(dims)]));
  const found = await run(at);
  const gradients = Object.fromEntries(names.map((name) => [name, found[`d ${name}`]?.data as Float64Array]));
  const lossAt = async (moved: Numbers) => (await run(moved)).loss?.data[0] as number;
  const difference = await differenceFromSlopes(lossAt, at, gradients, 4);
  await session.release();
  return difference;
}

describe("the gradient of", () => {
  test.for(OPS)("$op is the slope, and an error of 1 % in its rule is seen", async (each) => {
    expect(await differenceOf(each)).toBeLessThan(BOUND);
    for (const wrong of Object.keys(each.inputs).keys()) {
      const plant = (graph: Graph) => {
        const entry = graph.tape[0] as (typeof graph.tape)[number];
        graph.tape[0] = {
          ...entry,
          backward: (d, wanted) =>
            entry
              .backward(d, wanted)
              .map((gradient, i) =>
                i === wrong && gradient ? multiply(graph, gradient, graph.scalar(1.01)) : gradient,
              ),
        };
      };
      expect(await differenceOf(each, plant)).toBeGreaterThan(1e-3);
    }
  });
});

test("the clipped objective is flat where the ratio has left its bounds in the advantage's direction", async () => {
  const graph = new Graph({ float: "float64", fused: false });
  const logprobs = graph.parameter("logprobs", [6, 1]);
  const column = (values: readonly number[]) => graph.constant(values, [6, 1]);
  const [old, advantages, weights] = [OLD, ADVANTAGES, WEIGHTS].map(column) as [Tensor, Tensor, Tensor];
  const loss = clippedPolicyGradient(graph, logprobs, old, advantages, weights, 0.2);
  graph.output(backward(graph, loss, [logprobs])[0] as Tensor, "d");
  const session = await openSession(graph, CPU);
  const { d } = await session.run({ logprobs: new OrtTensor("float64", LOGPROBS, [6, 1]) });
  // Ratios e^0.1, e^1.4, e^-0.7 for what was good; 1, e^0.5, e^-0.6 for what was bad, the last without weight.
  const expected = [-0.1 * Math.exp(0.1), 0, -0.3 * Math.exp(-0.7), 0.15, 0.25 * Math.exp(0.5), 0];
  Array.from(d?.data as Float64Array).forEach((x, i) => {
    expect(x).toBeCloseTo(expected[i] as number, 12);
  });
  await session.release();
});

const LORA = { rank: 2, alpha: 4 };
const CLIPPED = { kind: "policy-gradient", clip: 0.2 } as const;
const ENTROPY = { kind: "cross-entropy" } as const;

describe("the gradients of two layers of", () => {
  test.for([
    ["qwen2", { tied: true, loss: CLIPPED }],
    ["qwen2", { tied: false, loss: ENTROPY }],
    ["qwen2", { tied: true, loss: { ...CLIPPED, kl: 0.5 }, lora: LORA }],
    ["qwen3", { tied: true, loss: ENTROPY }],
    ["qwen3", { tied: false, loss: CLIPPED }],
    ["qwen3", { tied: false, loss: ENTROPY, lora: { ...LORA, targets: ["attn_k", "ffn_up"] as const } }],
  ] as const)("%s with %j are the slopes, and in float32 the same", async ([family, options]) => {
    const each = checkCase(family, options);
    const { gradients, difference } = await referenceGradients(each);
    expect(difference).toBeLessThan(BOUND);
    expect(Object.keys(gradients).length).toBe(
      { qwen2: "lora" in options ? 28 : 26, qwen3: "lora" in options ? 8 : 24 }[family] +
        (options.tied || "lora" in options ? 0 : 1),
    );
    expect(await providerError(each, "cpu", gradients)).toBeLessThan(5e-5);
    // Layer by layer, each computed again on the way back.
    expect(await providerError(each, "cpu", gradients, true)).toBeLessThan(5e-5);
  });

  test("the check case has tokens inside and outside the clip", async () => {
    // A bound nobody reaches gives another loss: some were clipped. Some were not, or all gradients would be zero.
    const each = checkCase("qwen2", { tied: true, loss: CLIPPED });
    const clipped = await referenceGradients(each, 0);
    const free = await referenceGradients({ ...each, loss: { ...CLIPPED, clip: 1e9 } }, 0);
    expect(Math.abs(clipped.loss - free.loss)).toBeGreaterThan(1e-3);
    expect(largestError(clipped.gradients, free.gradients)).toBeGreaterThan(0.05);
    expect(clipped.gradients["token_embd.weight"]?.some((g) => g !== 0)).toBe(true);
  });
});

test("a NaN is never a small error", () => {
  expect(largestError({ a: Float32Array.of(1, Number.NaN) }, { a: Float32Array.of(1, 2) })).toBe(
    Number.POSITIVE_INFINITY,
  );
  expect(largestError({}, { a: Float32Array.of(1) })).toBe(Number.POSITIVE_INFINITY);
});

test("the CPU passes the provider's test", async () => {
  await checkProvider("cpu");
});

test("a provider with wrong gradients is refused by name", async () => {
  await expect(checkProvider("cpu", async () => 0.9)).rejects.toThrow(
    /provider cpu computes wrong gradients/,
  );
  await expect(checkProvider("cpu", async () => Number.NaN)).rejects.toThrow(/wrong gradients/);
});

test("WebGPU passes the provider's test where there is a driver", async ({ skip }) => {
  try {
    await checkProvider("webgpu");
  } catch (error) {
    if (!/cannot be used here/.test(String(error))) throw error;
    console.warn(`skipped the gradients on WebGPU: ${(error as Error).message.split("\n")[0]}`);
    skip();
  }
});

import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Tensor as OrtTensor } from "onnxruntime-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { shuffled, uniformStream } from "#lse/lib/random.js";
import { packRows, plainRow, type Row } from "#lse/train/batch.js";
import { readCheckpoint, writeCheckpoint } from "#lse/train/checkpoint.js";
import type { TrainerOptions } from "#lse/train/engine.js";
import { attention, type RotaryTable, rotaryTable, rotate } from "#lse/train/graph/attention.js";
import { Graph, type Tensor } from "#lse/train/graph/graph.js";
import { gatherRows, linear, reshape, rmsNorm, sum, swapMiddle } from "#lse/train/graph/layers.js";
import { initialParameters } from "#lse/train/model/initial.js";
import { addLookupHeads } from "#lse/train/model/lookup-heads.js";
import type { ModelSpec } from "#lse/train/model/spec.js";
import { adamW, muonAdamW } from "#lse/train/optimizer/groups.js";
import { CONSTANT } from "#lse/train/optimizer/schedule.js";
import { openSession } from "#lse/train/session.js";
import { Trainer } from "#lse/train/trainer.js";

const SPEC: ModelSpec = {
  family: "qwen2",
  shape: { layers: 2, embedding: 32, heads: 2, kvHeads: 2, headDim: 16, feedForward: 48 },
  vocabulary: 32,
  contextLength: 64,
};
const OPTIONS: TrainerOptions = {
  spec: SPEC,
  loss: { kind: "cross-entropy" },
  groups: muonAdamW(0.02, 0.01),
  schedule: { kind: "cosine", warmup: 2, steps: 8, floor: 0.1 },
  clipNorm: 1,
  start: { from: "random", seed: 5, lookupHeads: false },
  provider: "cpu",
  threads: 1,
  microTokens: 64,
};

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lse-train-"));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** Rows of several lengths in which each token follows from the one before. */
function rowsOf(step: number): Row[] {
  const uniform = uniformStream(step);
  return Array.from({ length: 6 }, (_, i) => {
    const tokens = [Math.floor(32 * uniform())];
    while (tokens.length < 8 + 3 * i) tokens.push(((tokens.at(-1) as number) * 5 + 3) % 32);
    return plainRow(tokens);
  });
}

async function steps(trainer: Trainer, from: number, to: number): Promise<number[]> {
  const losses: number[] = [];
  for (let step = from; step <= to; step++) losses.push((await trainer.step(rowsOf(step))).loss);
  return losses;
}

async function withTrainer<T>(options: TrainerOptions, use: (trainer: Trainer) => Promise<T>): Promise<T> {
  const trainer = await Trainer.open(options);
  try {
    return await use(trainer);
  } finally {
    await trainer[Symbol.asyncDispose]();
  }
}

test.for([
  ["a model", {}],
  ["an adapter", { lora: { rank: 2, alpha: 4 } }],
] as const)("%s: the same seed gives the same losses to the last digit, also when stopped and continued", async ([
  name,
  more,
]) => {
  const options = { ...OPTIONS, ...more };
  const whole = await withTrainer(options, async (trainer) => ({
    losses: await steps(trainer, 1, 8),
    parameters: await trainer.parameters(),
  }));
  expect(whole.losses[7]).toBeLessThan(whole.losses[0] as number);
  const path = join(folder, `${name}.safetensors`);
  const first = await withTrainer(options, async (trainer) => {
    expect([trainer.startStep, trainer.progress]).toEqual([0, null]);
    const losses = await steps(trainer, 1, 4);
    await trainer.save(path, { data: 4 });
    return losses;
  });
  const second = await withTrainer({ ...options, checkpoint: path }, async (trainer) => {
    expect([trainer.startStep, trainer.progress]).toEqual([4, { data: 4 }]);
    return { losses: await steps(trainer, 5, 8), parameters: await trainer.parameters() };
  });
  expect([...first, ...second.losses]).toEqual(whole.losses);
  expect(second.parameters).toEqual(whole.parameters);
  const other = { ...options, checkpoint: path, spec: { ...SPEC, contextLength: 65 } };
  await expect(Trainer.open(other)).rejects.toThrow(/another model or adapter/);
});

test.for([
  ["in parts", { microTokens: 30 }],
  ["layer by layer", { microTokens: 10_000, recompute: true }],
] as const)("a step %s is a step at once, but for rounding", async ([, how]) => {
  const run = (options: Partial<TrainerOptions>) =>
    withTrainer({ ...OPTIONS, ...options }, async (trainer) => [
      await trainer.step(rowsOf(1)),
      await trainer.step(rowsOf(2)),
    ]);
  const whole = await run({ microTokens: 10_000 });
  (await run(how)).forEach((result, i) => {
    expect(result.loss).toBeCloseTo(whole[i]?.loss as number, 5);
    expect(result.gradNorm).toBeCloseTo(whole[i]?.gradNorm as number, 4);
    expect([result.step, result.tokens]).toEqual([i + 1, whole[i]?.tokens]);
  });
});

test("gradients are clipped to the length asked for", async () => {
  // With a huge epsilon AdamW's first step is the gradient, but for a factor.
  const plain = {
    method: "adamw",
    rate: 1e4,
    beta1: 0.9,
    beta2: 0.98,
    epsilon: 1e4,
    weightDecay: 0,
  } as const;
  const groups = [{ kinds: ["matrix", "embedding", "norm", "bias"] as const, options: plain }];
  const moved = (clipNorm: number) =>
    withTrainer({ ...OPTIONS, groups, schedule: CONSTANT, clipNorm }, async (trainer) => {
      const before = await trainer.parameters();
      const { gradNorm } = await trainer.step(rowsOf(1));
      const after = await trainer.parameters();
      const name = "output_norm.weight";
      const change = after[name]?.map((x, i) => x - (before[name]?.[i] as number)) ?? [];
      return { gradNorm, change: Math.hypot(...change) };
    });
  const free = await moved(Number.POSITIVE_INFINITY);
  const clipped = await moved(free.gradNorm / 4);
  expect(clipped.gradNorm).toBe(free.gradNorm);
  expect(clipped.change / free.change).toBeCloseTo(0.25, 3);
});

test("the policy gradient makes good answers likelier and bad ones less likely", async () => {
  const options: TrainerOptions = {
    ...OPTIONS,
    loss: { kind: "policy-gradient", clip: 0.2 },
    groups: adamW(3e-3),
    schedule: CONSTANT,
  };
  const answers = [{ tokens: [7, 8, 9] }, { tokens: [17, 18] }];
  await withTrainer(options, async (trainer) => {
    const score = async () => (await trainer.logprobs([{ prefix: [1, 2], continuations: answers }]))[0] ?? [];
    const before = await score();
    const continuations = answers.map((answer, i) => ({
      ...answer,
      advantage: i === 0 ? 1 : -1,
      oldLogprobs: [...(before[i] ?? [])],
    }));
    for (let i = 0; i < 6; i++) await trainer.step([{ prefix: [1, 2], continuations }]);
    const after = await score();
    const mean = (values: Float32Array | undefined) =>
      (values?.reduce((a, b) => a + b) ?? 0) / (values?.length ?? 0);
    expect(mean(after[0])).toBeGreaterThan(mean(before[0]) + 0.05);
    expect(mean(after[1])).toBeLessThan(mean(before[1]) - 0.05);
  });
});

test("a row may have more answers than the context has room for", async () => {
  await using trainer = await Trainer.open(OPTIONS);
  const prefix = [1, 2, 3, 4];
  const continuations = Array.from({ length: 9 }, (_, i) => ({
    tokens: Array.from({ length: 12 }, (_, j) => (i + j) % 32),
  }));
  const [long] = await trainer.logprobs([{ prefix, continuations }]);
  const apart = await trainer.logprobs(continuations.map((own) => ({ prefix, continuations: [own] })));
  for (const [i, [logprobs]] of apart.entries())
    for (const [j, logprob] of (logprobs as Float32Array).entries())
      expect(long?.[i]?.[j]).toBeCloseTo(logprob, 5);
  expect((await trainer.step([{ prefix, continuations }])).tokens).toBe(9 * 12);
});

test("the calling thread stays free while a step computes", async () => {
  await withTrainer({ ...OPTIONS, microTokens: 4096 }, async (trainer) => {
    const rows = Array.from({ length: 60 }, (_, i) =>
      plainRow(Array.from({ length: 60 }, (_, j) => (i + j) % 32)),
    );
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    await trainer.step(rows);
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(3);
  });
});

test("what cannot be trained is refused with a next step, and the trainer goes on", async () => {
  await withTrainer(OPTIONS, async (trainer) => {
    await expect(trainer.step([plainRow([1, 99])])).rejects.toThrow(/99 is no token of a vocabulary of 32/);
    const unweighted = { prefix: [1], continuations: [{ tokens: [2], weights: [0] }] };
    await expect(trainer.step([unweighted])).rejects.toThrow(/no token of the step counts/);
    await expect(trainer.save(join(folder, "no", "where"))).rejects.toThrow(/cannot write /);
    expect((await trainer.step(rowsOf(1))).step).toBe(1);
  });
  const open = (more: Partial<TrainerOptions>) => Trainer.open({ ...OPTIONS, ...more });
  await expect(open({ spec: { ...SPEC, shape: { ...SPEC.shape, headDim: 8 } } })).rejects.toThrow(
    /qwen2 wants/,
  );
  await expect(open({ lora: { rank: 0, alpha: 1 } })).rejects.toThrow(/rank is 0/);
  const parameters = { "token_embd.weight": new Float32Array(3) };
  await expect(open({ start: { from: "parameters", parameters, seed: 1 } })).rejects.toThrow(
    /token_embd.weight/,
  );
});

describe("a checkpoint", () => {
  const tensors = { a: Float32Array.of(1, -2, 3.5), empty: new Float32Array(), b: Float32Array.of(1e-40) };

  test("comes back to the last bit, and is laid out as safetensors", async () => {
    const path = join(folder, "plain.safetensors");
    await writeCheckpoint(path, { tensors, about: { note: "ü" } });
    expect(await readCheckpoint(path)).toEqual({ tensors, about: { note: "ü" } });
    const bytes = await readFile(path);
    const length = Number(bytes.readBigUInt64LE());
    const header = JSON.parse(bytes.toString("utf8", 8, 8 + length));
    expect(length % 8).toBe(0);
    expect(header.b).toEqual({ dtype: "F32", shape: [1], data_offsets: [12, 16] });
    expect(bytes.readFloatLE(8 + length + 4)).toBe(-2);
    expect((await readdir(folder)).filter((name) => name.endsWith(".part"))).toEqual([]);
  });

  test("that is cut off or something else is refused", async () => {
    const path = join(folder, "cut.safetensors");
    await writeCheckpoint(path, { tensors, about: null });
    const whole = await readFile(path);
    for (const length of [4, 40, whole.length - 1]) {
      await writeFile(path, whole.subarray(0, length));
      await expect(readCheckpoint(path)).rejects.toThrow(/is not a safetensors file/);
    }
    await expect(readCheckpoint(join(folder, "none"))).rejects.toThrow(/cannot read /);
  });
});

describe("look-up heads", () => {
  const shape = { layers: 2, embedding: 96, heads: 3, kvHeads: 3, headDim: 32, feedForward: 96 };
  const spec: ModelSpec = { family: "qwen2", shape, vocabulary: 48, contextLength: 64 };

  test("attend one and two tokens back, and to what followed the current token before", async () => {
    const parameters = initialParameters(spec, 1);
    addLookupHeads(parameters, spec, 1);
    // 16 different tokens, then the same again.
    const once = shuffled([...Array(48).keys()], 2).slice(0, 16);
    const share = await attentionShares(spec, parameters, [...once, ...once]);
    const mean = (positions: number[], of: (position: number) => number) =>
      positions.reduce((sum, position) => sum + of(position), 0) / positions.length;
    const all = Array.from({ length: 30 }, (_, i) => i + 2);
    expect(mean(all, (t) => share(0, 0, t, t - 1))).toBeGreaterThan(0.99);
    expect(mean(all, (t) => share(0, 1, t, t - 2))).toBeGreaterThan(0.99);
    expect(mean(all, (t) => share(0, 2, t, t - 1))).toBeLessThan(0.2);
    // Even shares would be 1/25.
    const second = Array.from({ length: 14 }, (_, i) => i + 18);
    expect(mean(second, (t) => share(1, 0, t, t - 15))).toBeGreaterThan(0.4);
    expect(mean(second, (t) => share(1, 1, t, t - 15))).toBeGreaterThan(0.7);
    expect(mean(second, (t) => share(1, 2, t, t - 15))).toBeLessThan(0.15);
  });

  test("look up what a key was followed by after a few steps; ordinary weights do not", async () => {
    const loss = async (lookupHeads: boolean) => {
      const start = { from: "random", seed: 1, lookupHeads } as const;
      const options = {
        ...OPTIONS,
        spec,
        start,
        groups: muonAdamW(0.01, 2e-3),
        schedule: CONSTANT,
        microTokens: 1024,
      };
      return await withTrainer(options, async (trainer) => {
        const losses: number[] = [];
        for (let step = 0; step < 25; step++) losses.push((await trainer.step(dictionaries(step))).loss);
        return losses.slice(-5).reduce((sum, x) => sum + x / 5, 0);
      });
    };
    const [withHeads, without] = [await loss(true), await loss(false)];
    // Guessing any token costs ln 48 = 3.87 nats.
    expect(without).toBeGreaterThan(3.6);
    expect(withHeads).toBeLessThan(without - 0.3);
  });

  test("are refused where they cannot be", () => {
    const qwen3: ModelSpec = { ...spec, family: "qwen3" };
    expect(() => addLookupHeads(initialParameters(qwen3, 1), qwen3, 1)).toThrow(/cannot get look-up heads/);
  });
});

/** Pairs of a key and its value, then questions: a key, to be answered by its value. */
function dictionaries(seed: number): Row[] {
  return Array.from({ length: 16 }, (_, i) => {
    const tokens = shuffled([...Array(48).keys()], 100 * seed + i).slice(0, 32);
    const uniform = uniformStream(100 * seed + i);
    const continuations = Array.from({ length: 8 }, () => {
      const at = 2 * Math.floor(16 * uniform());
      return { tokens: tokens.slice(at, at + 2), weights: [0, 1] };
    });
    return { prefix: tokens, continuations };
  });
}

/**
 * How much of its attention head `head` of a layer gives at position `from` to position `to`. Values that are the
 * unit vectors of their positions make the outputs of attention its shares; there are as many as a head's size.
 */
async function attentionShares(spec: ModelSpec, parameters: Record<string, Float32Array>, tokens: number[]) {
  const { layers, heads, headDim: size, embedding } = spec.shape;
  expect(tokens).toHaveLength(size);
  const graph = new Graph({ float: "float32", fused: true });
  const batch = packRows([plainRow(tokens)], spec, "all");
  const positions = graph.input("positions", ["B", "T"], "int64");
  const ids = graph.input("ids", ["N"], "int64");
  const mask = graph.input("mask", ["B", 1, "T", "T"]);
  const units = graph.input("units", ["B", heads, "T", size]);
  const weight = (name: string, dims: number[]) =>
    graph.constant(Float64Array.from(parameters[name] ?? []), dims);
  const rotary: RotaryTable = rotaryTable(graph, positions, 64, size, 1e6);
  let x = gatherRows(graph, weight("token_embd.weight", [spec.vocabulary, embedding]), ids);
  for (let layer = 0; layer < layers; layer++) {
    const map = (part: string, input: Tensor) => {
      const bias = part === "attn_output" ? undefined : weight(`blk.${layer}.${part}.bias`, [embedding]);
      return linear(graph, input, weight(`blk.${layer}.${part}.weight`, [embedding, embedding]), bias);
    };
    const before = rmsNorm(graph, x, weight(`blk.${layer}.attn_norm.weight`, [embedding]), 1e-6);
    const split = (part: string) =>
      swapMiddle(graph, reshape(graph, map(part, before), ["B", "T", heads, size]));
    const [q, k] = [rotate(graph, split("attn_q"), rotary), rotate(graph, split("attn_k"), rotary)];
    graph.output(attention(graph, q, k, units, mask), `shares ${layer}`);
    const seen = swapMiddle(graph, attention(graph, q, k, split("attn_v"), mask));
    // Without the feed-forward part, which is random and small.
    x = sum(graph, x, map("attn_output", reshape(graph, seen, ["N", embedding])));
  }
  const session = await openSession(graph, { provider: "cpu", threads: 1 });
  const unit = Float32Array.from({ length: heads * size * size }, (_, i) =>
    Math.floor(i / size) % size === i % size ? 1 : 0,
  );
  const hidden = Float32Array.from(batch.visible, (visible) => (visible === 1 ? 0 : -1e9));
  const results = await session.run({
    positions: new OrtTensor("int64", batch.positions, [1, size]),
    ids: new OrtTensor("int64", batch.tokens, [size]),
    mask: new OrtTensor("float32", hidden, [1, 1, size, size]),
    units: new OrtTensor("float32", unit, [1, heads, size, size]),
  });
  await session.release();
  return (layer: number, head: number, from: number, to: number) =>
    results[`shares ${layer}`]?.data[(head * size + from) * size + to] as number;
}

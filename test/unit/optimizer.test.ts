import { Tensor as OrtTensor } from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import type { QwenParameter } from "#lse/gguf/qwen-layout.js";
import { uniformStream } from "#lse/lib/random.js";
import { AdamW } from "#lse/train/optimizer/adamw.js";
import { adamW, muonAdamW } from "#lse/train/optimizer/groups.js";
import { Muon, orthogonalGraph } from "#lse/train/optimizer/muon.js";
import { openOptimizers } from "#lse/train/optimizer/open.js";
import { CONSTANT, rateFactor } from "#lse/train/optimizer/schedule.js";
import { openSession } from "#lse/train/session.js";

const VECTOR: QwenParameter = { name: "v", kind: "norm", dims: [2] };
const MATRIX: QwenParameter = { name: "m", kind: "matrix", dims: [6, 4] };

test("AdamW does two steps as computed by hand", async () => {
  const options = {
    method: "adamw",
    rate: 1,
    beta1: 0.9,
    beta2: 0.99,
    epsilon: 1e-8,
    weightDecay: 0.5,
  } as const;
  const optimizer = new AdamW([VECTOR], options);
  const parameters = { v: Float32Array.of(1, -2) };
  await optimizer.step(1, 0.1, parameters, { v: Float32Array.of(3, -4) });
  // The corrected means are the gradient and its square: a step of the rate, after 0.1 · 0.5 of decay.
  expect(parameters.v[0]).toBeCloseTo(0.95 * 1 - 0.1, 6);
  expect(parameters.v[1]).toBeCloseTo(0.95 * -2 + 0.1, 6);
  await optimizer.step(2, 0.1, parameters, { v: Float32Array.of(-1, 0) });
  // First means 0.17 and −0.36, squares 0.0991 and 0.1584, corrected by 0.19 and 0.0199.
  expect(parameters.v[0]).toBeCloseTo(0.95 * 0.85 - (0.1 * (0.17 / 0.19)) / Math.sqrt(0.0991 / 0.0199), 6);
  expect(parameters.v[1]).toBeCloseTo(0.95 * -1.8 + (0.1 * (0.36 / 0.19)) / Math.sqrt(0.1584 / 0.0199), 6);
});

/** Products of all pairs of rows. */
function gram(values: Float32Array, rows: number, columns: number): number[][] {
  const row = (i: number) => values.subarray(i * columns, (i + 1) * columns);
  return Array.from({ length: rows }, (_, i) =>
    Array.from({ length: rows }, (_, j) => row(i).reduce((sum, x, k) => sum + x * (row(j)[k] as number), 0)),
  );
}

test("Muon's iteration makes the rows of a matrix nearly orthonormal, tall and wide alike", async () => {
  const uniform = uniformStream(3);
  const wide = Float32Array.from({ length: 4 * 9 }, () => 100 * (uniform() - 0.5));
  const tall = Float32Array.from(
    { length: 4 * 9 },
    (_, i) => wide[(i % 4) * 9 + Math.floor(i / 4)] as number,
  );
  const run = async (side: "wide" | "tall", values: Float32Array, dims: number[]) => {
    const session = await openSession(orthogonalGraph(side), { provider: "cpu", threads: 1 });
    const { orthogonal } = await session.run({ matrix: new OrtTensor("float32", values, dims) });
    await session.release();
    return orthogonal?.data as Float32Array;
  };
  const fromWide = await run("wide", wide, [4, 9]);
  const fromTall = await run("tall", tall, [9, 4]);
  gram(fromWide, 4, 9).forEach((line, i) => {
    line.forEach((x, j) => {
      if (i === j) expect([x > 0.45, x < 1.5]).toEqual([true, true]);
      else expect(Math.abs(x)).toBeLessThan(0.4);
    });
  });
  fromWide.forEach((x, i) => {
    expect(fromTall[(i % 9) * 4 + Math.floor(i / 9)]).toBeCloseTo(x, 4);
  });
});

test("Muon moves a matrix against its gradient by the rate, whatever the gradient's size", async () => {
  const moved = async (size: number) => {
    const options = { method: "muon", rate: 1, momentum: 0.95, weightDecay: 0 } as const;
    const optimizer = new Muon([MATRIX], options, 1);
    const uniform = uniformStream(8);
    const gradient = Float32Array.from({ length: 24 }, () => size * (uniform() - 0.5));
    const parameters = { m: new Float32Array(24) };
    await optimizer.step(1, 0.1, parameters, { m: gradient });
    await optimizer.release();
    return { values: parameters.m, gradient };
  };
  const small = await moved(1e-3);
  const large = await moved(1e3);
  small.values.forEach((x, i) => {
    expect(large.values[i]).toBeCloseTo(x, 4);
  });
  expect(small.values.reduce((sum, x, i) => sum + x * (small.gradient[i] as number), 0)).toBeLessThan(0);
  // Four singular values near 1, times the rate and √(6 / 4).
  expect(Math.hypot(...small.values)).toBeGreaterThan(0.1 * 2 * 0.7);
  expect(Math.hypot(...small.values)).toBeLessThan(0.1 * 2 * 1.25 * 1.25);
});

describe("a stopped optimizer goes on from its state as if it had not been stopped", () => {
  test.for([
    ["AdamW", adamW(0.1, 0.01)],
    ["Muon with AdamW", muonAdamW(0.1, 0.05)],
  ] as const)("%s", async ([, groups]) => {
    const open = () => openOptimizers(groups, [VECTOR, MATRIX], 1).map(({ optimizer }) => optimizer);
    const gradients = (step: number) => ({
      v: Float32Array.of(step, 1 / step),
      m: Float32Array.from({ length: 24 }, (_, i) => Math.sin(step * i)),
    });
    const parameters = { v: Float32Array.of(1, 2), m: new Float32Array(24).fill(0.5) };
    const first = open();
    for (const step of [1, 2]) for (const o of first) await o.step(step, 0.1, parameters, gradients(step));
    const kept = structuredClone(Object.assign({}, ...first.map((o) => o.state())));
    const copy = structuredClone(parameters);
    const second = open();
    for (const o of second) o.restore(kept);
    for (const o of first) await o.step(3, 0.1, parameters, gradients(3));
    for (const o of second) await o.step(3, 0.1, copy, gradients(3));
    expect(copy).toEqual(parameters);
    expect(() => open()[0]?.restore({})).toThrow(/the checkpoint has no/);
    for (const o of [...first, ...second]) await o.release();
  });
});

test("every kind of parameter needs a group, and goes to the first that names it", () => {
  expect(() => openOptimizers(adamW(1).slice(0, 1), [VECTOR], 1)).toThrow(/kind norm/);
  const embedding: QwenParameter = { name: "e", kind: "embedding", dims: [3, 2] };
  const opened = openOptimizers(muonAdamW(0.3, 0.2), [VECTOR, MATRIX, embedding], 1);
  expect(opened.map(({ rate, names }) => [rate, names])).toEqual([
    [0.3, ["m"]],
    [0.2, ["e"]],
    [0.2, ["v"]],
  ]);
});

test("the learning rate rises, falls along a cosine and stays at its floor", () => {
  const schedule = { kind: "cosine", warmup: 4, steps: 14, floor: 0.1 } as const;
  const at = (step: number) => rateFactor(schedule, step);
  expect([at(1), at(2), at(4)]).toEqual([0.25, 0.5, 1]);
  expect(at(9)).toBeCloseTo(0.55, 12);
  expect(at(14)).toBeCloseTo(0.1, 12);
  expect(at(99)).toBeCloseTo(0.1, 12);
  expect(rateFactor(CONSTANT, 1)).toBe(1);
  expect(rateFactor({ ...CONSTANT, warmup: 2 }, 1)).toBe(0.5);
});

import { describe, expect, it } from "vitest";
import { estimateStep } from "#lse/train/estimate.js";
import { graphCost } from "#lse/train/graph/cost.js";
import { Graph } from "#lse/train/graph/graph.js";
import { linear } from "#lse/train/graph/layers.js";
import { batchedMatmul, exp, multiply } from "#lse/train/graph/primitives.js";
import { qwenGraph } from "#lse/train/model/qwen-graph.js";
import type { ModelSpec } from "#lse/train/model/spec.js";

const STYLE = { float: "float32", fused: true } as const;
const SPEC: ModelSpec = {
  family: "qwen2",
  shape: { layers: 3, embedding: 8, heads: 2, kvHeads: 1, headDim: 4, feedForward: 12 },
  vocabulary: 50,
  contextLength: 32,
};

describe("the cost of a graph", () => {
  it("counts products, and values from their operator to the last that reads them", () => {
    const graph = new Graph(STYLE);
    const x = graph.input("x", ["N", 3]);
    const y = linear(graph, x, graph.input("w", [5, 3]));
    const z = exp(graph, y);
    graph.output(multiply(graph, exp(graph, z), exp(graph, z)), "result");
    exp(graph, graph.reshape(y, ["N·5"])); // Leads nowhere.
    // 2 · 4 · 5 · 3; at the worst moment z, one of its exponentials and the other are there: y is gone by then.
    expect(graphCost(graph, { N: 4 })).toEqual({ flops: 120, bytes: 3 * 4 * 5 * 4 });
  });

  it("counts batched products, turned or not, and shared memory once", () => {
    const graph = new Graph(STYLE);
    const [a, b] = [graph.input("a", [2, "T", 3]), graph.input("b", [2, "T", 7])];
    const product = batchedMatmul(graph, a, b, { transposeA: true });
    graph.output(graph.reshape(product, [2, 21]), "result");
    expect(graphCost(graph, { T: 5 })).toEqual({ flops: 2 * 2 * 3 * 7 * 5, bytes: 4 * (2 * 21 + 2 * 21) });
  });

  it("of a training step is three times that of its products forward, the attention's among them", () => {
    const { layers, embedding, heads, headDim, feedForward } = SPEC.shape;
    const [T, M] = [16, 10];
    const weights = layers * embedding * (2 * embedding + 2 * headDim + 3 * feedForward);
    const forward =
      2 * (weights * T + SPEC.vocabulary * embedding * M + 2 * layers * heads * T * T * headDim);
    const sizes = { B: 1, T, N: T, M };
    const loss = { kind: "cross-entropy" } as const;
    const flops = (gradients: boolean) =>
      graphCost(qwenGraph({ ...STYLE, spec: SPEC, loss, gradients }), sizes).flops;
    expect(flops(false)).toBe(forward);
    // Biases and gains of norms are summed by products with ones: small at real sizes, not here.
    expect(flops(true)).toBeGreaterThan(3 * forward);
    expect(flops(true)).toBeLessThan(3.2 * forward);
  });
});

describe("the estimate of a step", () => {
  it("keeps less in memory layer by layer, for one more forward pass", () => {
    const shape = { spec: SPEC, lora: { rank: 2, alpha: 4 }, positions: 32, predicted: 8 };
    const whole = estimateStep({ ...shape, recompute: false });
    const layered = estimateStep({ ...shape, recompute: true });
    expect(layered.activationBytes).toBeLessThan(whole.activationBytes / 2);
    // Without gradients of the frozen weights the way back takes little more than the way there.
    expect((layered.flops - whole.flops) / whole.forwardFlops).toBeGreaterThan(0.3);
    expect((layered.flops - whole.flops) / whole.forwardFlops).toBeLessThan(1);
    expect(whole.optimizerBytes).toBe(16 * whole.trained);
    const full = estimateStep({ ...shape, lora: undefined, recompute: false });
    expect(full.trained).toBe(full.parameters);
    expect(full.parameters).toBe(whole.parameters);
  });
});

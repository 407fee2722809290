import { expect, it } from "vitest";
import { ASSUMED, GPUS, gpuTime } from "#lse/runtime/gpu-time.js";

const model = { parameters: 4e9, bytes: 8e9, layers: 36, kvHeads: 8, headDim: 128 };
const work = { promptTokens: 1_000_000, completions: 1000, promptLength: 1000, maxTokens: 400 };

it("prompts take their products, and generation the reading of weights and cache", () => {
  const { tflops, gbps } = GPUS.a100;
  const time = gpuTime("a100", model, work);
  expect(time?.sequences).toBe(120);
  expect(time?.prompts).toBeCloseTo((2 * 4e9 * 1e6) / (tflops * 1e12 * ASSUMED.products) / 3600, 12);
  // 36 layers × 2 × 8 heads × 128 × 2 bytes a token.
  const read = 8e9 + 120 * 1000 * 36 * 2 * 8 * 128 * 2;
  const step = read / (gbps * 1e9 * ASSUMED.memory);
  expect(time?.perHundredTokens).toBeCloseTo((100 * (1000 / 120) * step) / 3600, 12);
  expect(time?.atMost).toBeCloseTo((time?.prompts ?? 0) + 4 * (time?.perHundredTokens ?? 0), 12);
});

it("has fewer answers at once where memory is short, and none where the weights do not fit", () => {
  const longer = { ...work, promptLength: 4000 };
  expect(gpuTime("rtx-4090", model, longer)?.sequences).toBe(
    Math.floor((24e9 * 0.9 - 8e9) / (4000 * 147_456)),
  );
  expect(gpuTime("t4", { ...model, bytes: 15e9 }, work)).toBeNull();
});

it("a step of many answers takes their products where these take longer", () => {
  const small = { ...model, layers: 1, bytes: 1e6 };
  const flops = 2 * 4e9 * 120;
  const time = gpuTime("t4", small, work);
  expect(time?.perHundredTokens).toBeCloseTo(
    (100 * (1000 / 120) * flops) / (GPUS.t4.tflops * 1e12 * ASSUMED.products) / 3600,
    12,
  );
});

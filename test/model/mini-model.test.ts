import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { actingFigures } from "#lse/mini/acting-figures.js";
import { openLlama } from "#lse/runtime/llama/open.js";

const modelPath = fileURLToPath(new URL("../../models/mini.gguf", import.meta.url));

describe("models/mini.gguf", () => {
  it("answers by its instructions on databases it has not seen, and knows nothing without them", async () => {
    await using model = await openLlama({ modelPath, threads: 1, gpuLayers: 0, tuning: null });
    const { complete, half, none } = await actingFigures(model, 4, 20);
    // The card says 0.96, 0.37 and 0.09 of 800 questions each; these are 80.
    expect(complete).toBeGreaterThan(0.88);
    expect(half).toBeLessThan(0.6);
    expect(none).toBeLessThan(0.25);
  });
});

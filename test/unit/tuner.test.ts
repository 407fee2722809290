import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import {
  type EngineSettings,
  rememberedSettings,
  rememberSettings,
  threadCounts,
  tune,
} from "#lse/runtime/llama/tuner.js";

const start: EngineSettings = { threads: 1, batchSize: 512, sequences: 32, flashAttention: false };
const space = {
  threads: [1, 2, 4],
  batchSize: [128, 512],
  sequences: [8, 32, 64],
  flashAttention: [false, true],
};

it("takes what is faster, setting by setting", async () => {
  const best = await tune(start, space, async ({ threads, flashAttention, sequences, batchSize }) => {
    return 10 / threads + (flashAttention ? 5 : 1) + 64 / sequences + batchSize / 500;
  });
  expect(best).toEqual({ threads: 4, batchSize: 128, sequences: 64, flashAttention: false });
});

it("keeps what it has when the gain is within the noise", async () => {
  expect(await tune(start, space, async ({ threads }) => 1 - threads / 100)).toEqual(start);
});

it("is not fooled by one slow trial", async () => {
  let trials = 0;
  const best = await tune(start, { ...space, threads: [1, 2] }, async ({ threads }) => {
    trials++;
    return trials === 1 ? 100 : threads;
  });
  expect(best.threads).toBe(1);
});

it("leaves out what cannot be had, and what the user has fixed", async () => {
  const asked: number[] = [];
  const best = await tune(start, { ...space, sequences: [32] }, async ({ threads, sequences }) => {
    asked.push(sequences);
    return threads === 4 ? null : 1 / threads;
  });
  expect(best.threads).toBe(2);
  expect(new Set(asked)).toEqual(new Set([32]));
});

it("tries few thread counts on many cores", () => {
  expect(threadCounts(1)).toEqual([1]);
  expect(threadCounts(2)).toEqual([1, 2]);
  expect(threadCounts(6)).toEqual([1, 2, 4, 5, 6]);
  expect(threadCounts(16)).toEqual([1, 2, 4, 8, 15, 16]);
});

it("remembers settings, and forgets what it cannot read", () => {
  const folder = mkdtempSync(join(tmpdir(), "lse-tuner-"));
  const path = join(folder, "deep", "settings.json");
  expect(rememberedSettings(path)).toBeNull();
  rememberSettings(path, start);
  expect(rememberedSettings(path)).toEqual(start);
  writeFileSync(path, '{"threads": "many"}');
  expect(rememberedSettings(path)).toBeNull();
  rmSync(folder, { recursive: true });
});

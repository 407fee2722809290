import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { demonstrationsOf, stageOf } from "#lse/mini/curriculum.js";
import { miniTokenizer } from "#lse/mini/tokenizer.js";
import { rowOf } from "#lse/train/lessons.js";
import { muonAdamW } from "#lse/train/optimizer/groups.js";
import { type CurvePoint, type PretrainOptions, pretrain } from "#lse/train/pretrain.js";

const STAGES = [
  { name: "acting", steps: 3, evolve: 0, sloppy: false },
  { name: "clean", steps: 3, evolve: 1, sloppy: false },
  { name: "sloppy", steps: 4, evolve: 1, sloppy: true },
];

describe("rowOf", () => {
  it("reads what prompts share once, and counts answers only", () => {
    const [lessons = []] = demonstrationsOf(STAGES, 1, 1, 1);
    expect(lessons.length).toBeGreaterThan(3);
    const { prefix, continuations } = rowOf(lessons, miniTokenizer);
    const schemaAndRules = miniTokenizer.encodePrompt(lessons[0]?.messages.slice(0, 1) ?? []).slice(0, -1);
    expect(prefix.slice(0, schemaAndRules.length)).toEqual(schemaAndRules);
    for (const [i, { messages, completion }] of lessons.entries()) {
      const { tokens = [], weights = [] } = continuations[i] ?? {};
      const answer = miniTokenizer.encodeCompletion(completion);
      expect([...prefix, ...tokens]).toEqual([...miniTokenizer.encodePrompt(messages), ...answer]);
      expect(tokens.filter((_, k) => weights[k] === 1)).toEqual(answer);
    }
  });
});

describe("the curriculum", () => {
  it("shows what the stage says, the same at a step whenever it is asked, and something else at the next", () => {
    const texts = (step: number, seed = 1) => JSON.stringify(demonstrationsOf(STAGES, seed, step, 2));
    expect(texts(2)).toBe(texts(2));
    expect(new Set([texts(1), texts(2), texts(1, 2)]).size).toBe(3);
    expect(texts(3)).toContain("SELECT");
    for (const step of [4, 6, 7]) expect(texts(step)).toContain("</prompt>");
    // The clean demonstrator writes one edit for a prompt, the sloppy one several.
    expect(demonstrationsOf(STAGES, 1, 6, 1)[0]).toHaveLength(1);
    expect(demonstrationsOf(STAGES, 1, 7, 1)[0]).toHaveLength(2);
    expect([1, 3, 4, 6, 7, 10].map((step) => stageOf(STAGES, step).name)).toEqual([
      "acting",
      "acting",
      "clean",
      "clean",
      "sloppy",
      "sloppy",
    ]);
    expect(() => stageOf(STAGES, 11)).toThrow("after the last stage");
  });
});

describe("pretrain", () => {
  const folder = mkdtempSync(join(tmpdir(), "lse-pretrain-"));
  afterAll(() => rmSync(folder, { recursive: true }));

  const shape = { layers: 2, embedding: 16, heads: 2, kvHeads: 2, headDim: 8, feedForward: 24 };
  const STEPS = 7;
  const train = (name: string, over: Partial<PretrainOptions> = {}) =>
    pretrain({
      folder: mkdirp(join(folder, name)),
      seed: 3,
      lookupHeads: false,
      steps: STEPS,
      checkpointEvery: 2,
      evaluateEvery: 4,
      evaluate: async (_, step) => ({ figure: 10 * step }),
      trainer: {
        spec: { family: "qwen2", shape, vocabulary: miniTokenizer.vocabulary, contextLength: 1024 },
        groups: muonAdamW(0.01, 0.01),
        schedule: { kind: "cosine", warmup: 2, steps: STEPS, floor: 0.1 },
        clipNorm: 1,
        provider: "cpu",
        threads: 1,
        microTokens: 2048,
      },
      rowsOf: (step) => demonstrationsOf(STAGES, 1, step, 2).map((group) => rowOf(group, miniTokenizer)),
      ...over,
    });
  const curveOf = (name: string) =>
    readFileSync(join(folder, name, "curve.jsonl"), "utf8")
      .split("\n")
      .slice(0, -1)
      .map((line) => {
        const { seconds: _, ...point } = JSON.parse(line) as CurvePoint & { seconds?: number };
        return point;
      });

  it("ends with the same weights and the same curve when it was stopped or killed on the way", async () => {
    const whole = await train("whole");
    const curve = curveOf("whole");
    expect(curve.filter((point) => "evaluation" in point)).toEqual([
      { step: 4, evaluation: { figure: 40 } },
      { step: 7, evaluation: { figure: 70 } },
    ]);
    expect(curve).toHaveLength(STEPS + 2);

    const stop = new AbortController();
    const onStep = ({ step }: { step: number }) => {
      if (step === 3) stop.abort(new Error("stopped"));
    };
    await expect(train("stopped", { onStep, signal: stop.signal })).rejects.toThrow("stopped");
    const started: number[] = [];
    expect(await train("stopped", { onStart: (done) => started.push(done) })).toEqual(whole);
    expect(started).toEqual([3]);
    expect(curveOf("stopped")).toEqual(curve);

    // Killed in step 5: the last checkpoint is that of step 4, and of the lines behind it some may be there.
    const fail = (step: number) => {
      if (step === 5) throw new Error("killed");
      return demonstrationsOf(STAGES, 1, step, 2).map((group) => rowOf(group, miniTokenizer));
    };
    await expect(train("killed", { rowsOf: fail })).rejects.toThrow("killed");
    appendFileSync(
      join(folder, "killed", "curve.jsonl"),
      '{"step":5,"loss":1,"tokens":1,"gradNorm":1}\n{"st',
    );
    expect(await train("killed")).toEqual(whole);
    expect(curveOf("killed")).toEqual(curve);
  });

  it("learns", async () => {
    const rows = demonstrationsOf(STAGES, 1, 1, 2).map((group) => rowOf(group, miniTokenizer));
    const losses: number[] = [];
    await train("learns", {
      rowsOf: () => rows,
      onStep: ({ loss }) => losses.push(loss),
    } as Partial<PretrainOptions>);
    expect(losses.at(-1) as number).toBeLessThan((losses[0] as number) - 0.5);
  });
});

function mkdirp(path: string): string {
  mkdirSync(path, { recursive: true });
  return path;
}

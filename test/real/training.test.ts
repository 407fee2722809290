/** Training on the weights of a real model in Q4_K_M: the trainer beside llama.cpp, its gradients, its adapter on the file. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { LINEAR_NAMES } from "#lse/gguf/qwen-layout.js";
import { readModel, readSizes } from "#lse/gguf/read-model.js";
import { writeLora } from "#lse/gguf/trained-model.js";
import { deriveSeed, gaussianStream } from "#lse/lib/random.js";
import type { ChatMessage } from "#lse/model.js";
import { ggmlDecoders, ggmlLibrary } from "#lse/runtime/llama/ggml.js";
import { LlamaModel } from "#lse/runtime/llama/llama-model.js";
import { packRows, type Row } from "#lse/train/batch.js";
import { LayeredSession } from "#lse/train/layered-session.js";
import { initialLora } from "#lse/train/model/initial.js";
import type { ModelSpec, Parameters } from "#lse/train/model/spec.js";
import { adamW } from "#lse/train/optimizer/groups.js";
import { CONSTANT } from "#lse/train/optimizer/schedule.js";
import { Trainer } from "#lse/train/trainer.js";
import { describeWithModel, realModel } from "./models.js";

const NAME = "qwen2.5-coder-0.5b";
const LORA = { rank: 4, alpha: 8 };
const ANSWERS = 4;
const MESSAGES: ChatMessage[] = [
  { role: "system", content: "You write rules for a database's users, one sentence each." },
  {
    role: "user",
    content: "Table hero(id, name, eye_colour_id), table colour(id, colour). Write a rule about eyes.",
  },
];

/**
 * What llama.cpp and the trainer may differ by, in nats a token. The trainer computes in float32 with the numbers that the
 * file's weights stand for; llama.cpp rounds the inputs of their matrices to 8 bits. Measured on AVX-512, over 132 tokens:
 * 0.026 on average and 0.20 at most, with an adapter 0.025 and 0.32.
 */
const MEAN_GAP = 0.05;
const LARGEST_GAP = 0.5;

/** How far each step moves the loss: in float32, less would be lost in rounding. */
const CHANGE = 0.002;
/** Of a slope, relative; measured 0.0004 at most. */
const SLOPE_ERROR = 0.01;

const folder = mkdtempSync(join(tmpdir(), "lse-real-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Of all tokens of all answers. */
const differences = (a: readonly (readonly number[])[], b: readonly (readonly number[])[]) =>
  a.flatMap((own, i) => own.map((x, k) => Math.abs(x - (b[i]?.[k] ?? Number.NaN))));
const squareOf = (values: Float32Array) => values.reduce((sum, x) => sum + x * x, 0);
const meanOf = (values: readonly number[]) => values.reduce((sum, x) => sum + x, 0) / values.length;

describeWithModel(`training an adapter on ${NAME}`, NAME, () => {
  let spec: ModelSpec;
  let engine: LlamaModel;
  /** Answers of the model's own to one prompt, as the edits of a node are: every second one is told to be good. */
  let row: Row;
  beforeAll(async () => {
    const modelPath = realModel(NAME);
    spec = { ...(await readSizes(modelPath)), contextLength: 512 };
    engine = await LlamaModel.open({
      ...{ modelPath, contextSize: 512, threads: 1, gpuLayers: 0 },
      ...{ sequences: ANSWERS, batchSize: 128, flashAttention: true },
    });
    const draws = { temperature: 1, topK: 0, topP: 1, minP: 0, presencePenalty: 0 };
    const sampling = { ...draws, maxTokens: 48, stop: [] };
    const requests = Array.from({ length: ANSWERS }, (_, sample) => ({
      ...{ messages: MESSAGES, sampling, seed: 5, sample },
    }));
    const answers = await engine.generate(requests);
    row = {
      prefix: engine.encode(MESSAGES),
      continuations: answers.map(({ tokens, logprobs: oldLogprobs }, i) => ({
        ...{ tokens, oldLogprobs, advantage: i % 2 === 0 ? 1 : -1 },
      })),
    };
  });
  afterAll(async () => await engine?.[Symbol.asyncDispose]());

  it("gives the logprobs of llama.cpp up to its rounded inputs, with an adapter too", async () => {
    await using trainer = await Trainer.open({
      spec,
      lora: LORA,
      loss: { kind: "policy-gradient", clip: 0.2 },
      groups: adamW(2e-4),
      schedule: CONSTANT,
      clipNorm: 1,
      start: { from: "file", path: realModel(NAME), seed: 1 },
      provider: "cpu",
      threads: 1,
      microTokens: 512,
      recompute: true,
    });
    const ofTrainer = async () => ((await trainer.logprobs([row]))[0] ?? []).map((own) => [...own]);
    const before = await ofTrainer();
    const untrained = differences(
      before,
      row.continuations.map(({ oldLogprobs = [] }) => oldLogprobs),
    );
    const { logprobGap } = await trainer.step([row]);
    expect(logprobGap).toBeCloseTo(meanOf(untrained), 3);
    await trainer.step([row]);
    const after = await ofTrainer();
    const adapter = join(folder, "adapter.gguf");
    await writeLora(adapter, { ...spec, ...LORA, parameters: await trainer.parameters(), name: "test" });
    await engine.useAdapter(adapter);
    const ofEngine: number[][] = [];
    for (const { tokens } of row.continuations) ofEngine.push([...(await engine.logprobs(MESSAGES, tokens))]);
    await engine.useAdapter(null);
    const adapted = differences(after, ofEngine);
    const moved = differences(after, before);
    console.log(
      `${untrained.length} tokens: trainer and llama.cpp apart by ${meanOf(untrained).toFixed(4)} nats (mean), ` +
        `${Math.max(...untrained).toFixed(3)} (most), ${untrained.filter((gap) => gap > 0.18).length} beyond the clip; with an ` +
        `adapter that moves them by ${meanOf(moved).toFixed(3)}, by ${meanOf(adapted).toFixed(4)} and ${Math.max(...adapted).toFixed(3)}`,
    );
    for (const gap of [untrained, adapted]) {
      expect(meanOf(gap)).toBeLessThan(MEAN_GAP);
      expect(Math.max(...gap)).toBeLessThan(LARGEST_GAP);
    }
    // What the adapter does is larger than what rounding does, and it is what was asked for.
    expect(meanOf(moved)).toBeGreaterThan(3 * meanOf(adapted));
    for (const [i, own] of after.entries())
      expect(Math.sign(meanOf(own) - meanOf(before[i] as number[]))).toBe(i % 2 === 0 ? 1 : -1);
  });

  it("has the gradients that the slopes of the loss are", async () => {
    const path = realModel(NAME);
    const decoders = ggmlDecoders(await ggmlLibrary());
    const gaussian = gaussianStream(deriveSeed("real gradients"));
    const adapter = Object.fromEntries(
      // Off 0: at the beginning half of the gradients vanish.
      Object.entries(initialLora(spec, LORA, 1)).map(([name, values]) => [
        name,
        name.endsWith(".lora_b") ? values.map(() => 0.002 * gaussian()) : values,
      ]),
    );
    const parameters: Parameters = { ...(await readModel(path, decoders)).parameters, ...adapter };
    const packed = packRows([row], spec, "weighted");
    const graph = { spec, lora: LORA, float: "float32", fused: true } as const;
    const cpu = { provider: "cpu", threads: 1 } as const;
    const loss = { kind: "policy-gradient", clip: 0.2 } as const;
    const back = await LayeredSession.open({ ...graph, loss, gradients: true }, cpu);
    const forward = await LayeredSession.open({ ...graph, loss, gradients: false }, cpu);
    try {
      const scale = 1 / packed.at.length;
      // Every ratio of probabilities begins at 1, as in a training.
      const { logprobs } = await forward.run(parameters, packed, scale);
      const batch = { ...packed, old: Float64Array.from(logprobs) };
      const { gradients } = await back.run(parameters, batch, scale);
      const lossAt = async (names: readonly string[], step: number) => {
        const moved = names.map((name) => {
          const along = gradients[name] as Float32Array;
          return [name, (parameters[name] as Float32Array).map((x, i) => x + step * (along[i] as number))];
        });
        return (await forward.run({ ...parameters, ...Object.fromEntries(moved) }, batch, scale)).loss;
      };
      for (const target of LINEAR_NAMES) {
        const names = Object.keys(gradients).filter((name) => name.includes(`.${target}.`));
        expect(names).toHaveLength(2 * spec.shape.layers);
        const square = names.reduce((sum, name) => sum + squareOf(gradients[name] as Float32Array), 0);
        const step = CHANGE / square;
        const slope = ((await lossAt(names, step)) - (await lossAt(names, -step))) / (2 * step);
        console.log(
          `${target}: |gradient|² ${square.toExponential(3)}, slope along it ${slope.toExponential(3)}`,
        );
        expect(Math.abs(slope / square - 1)).toBeLessThan(SLOPE_ERROR);
      }
    } finally {
      await back.release();
      await forward.release();
    }
  });
});

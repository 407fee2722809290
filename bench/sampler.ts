/**
 * Measures drawing a token from a vocabulary of real size: the engine's way beside the plain definition, which sorts all
 * tokens. The logits are random, with a few likely tokens, as a model's are.
 *
 *   npm run bench:sampler
 */
import { Command } from "@commander-js/extra-typings";
import { gaussianStream, uniformStream } from "#lse/lib/random.js";
import { PAPER_SAMPLING, type Sampling } from "#lse/model.js";
import { rowTokens } from "#lse/runtime/llama/logits.js";
import { sampleFromRow, sampleToken } from "#lse/runtime/sampler.js";
import { textTable } from "#lse/terminal/text-table.js";
import { median, ratioOf } from "./numbers.js";

const { vocabulary, tokens, rounds, json } = new Command("bench:sampler")
  .description("Milliseconds to draw a token, and how many times longer the plain definition takes.")
  .option("--vocabulary <count>", "entries", Number, 152_000)
  .option("--tokens <count>", "tokens that are drawn in a round", Number, 20)
  .option("--rounds <count>", "rounds", Number, 5)
  .option("--json", "print one JSON document")
  .parse()
  .opts();

const OPEN = { ...PAPER_SAMPLING, topK: 0, topP: 1, presencePenalty: 0 };
const SAMPLINGS: Readonly<Record<string, Sampling>> = {
  "top-p 0.95": { ...OPEN, topP: 0.95 },
  "top-p 0.95, presence penalty 0.5": { ...OPEN, topP: 0.95, presencePenalty: 0.5 },
  "min-p 0.05": { ...OPEN, minP: 0.05 },
  "temperature 1 alone": { ...OPEN, temperature: 1 },
};

/** Of noise, and a dozen tokens above it. */
function logitsOf(seed: number): Float32Array {
  const gaussian = gaussianStream(seed);
  const logits = Float32Array.from({ length: vocabulary }, () => 2.5 * gaussian());
  for (let i = 0; i < 12; i++) logits[997 * i + seed] = 22 - 1.5 * i;
  return logits;
}

const rows = Array.from({ length: tokens }, (_, i) => logitsOf(i + 1));
const generated = new Set(Array.from({ length: 100 }, (_, i) => 997 * (i % 12) + i));
const uniform = uniformStream(1);

const timed = (draw: (logits: Float32Array, u: number) => number, draws: readonly number[]) => {
  const started = performance.now();
  const drawn = rows.map((logits, i) => draw(logits, draws[i] as number));
  return { drawn, milliseconds: (performance.now() - started) / tokens };
};

const results = Object.entries(SAMPLINGS).map(([name, sampling]) => {
  const own: number[] = [];
  const plain: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const draws = rows.map(() => uniform());
    const engine = timed((logits, u) => sampleFromRow(rowTokens(logits), sampling, generated, u), draws);
    const sorted = timed((logits, u) => {
      const all = Array.from(logits, (logit, token) => ({ token, logit }));
      return sampleToken(all, sampling, generated, u);
    }, draws);
    if (engine.drawn.join() !== sorted.drawn.join()) throw new Error(`${name}: other tokens were drawn`);
    own.push(engine.milliseconds);
    plain.push(sorted.milliseconds);
  }
  return { name, milliseconds: median(own), plain: median(plain), ratio: ratioOf(plain, own) };
});
console.log(
  json
    ? JSON.stringify({ vocabulary, tokens, rounds, results })
    : textTable([
        ["sampling", "ms a token", "plain", "plain ÷ engine", "least", "most"],
        ...results.map(({ name, milliseconds, plain, ratio }) => [
          name,
          ...[milliseconds, plain, ratio.median, ratio.least, ratio.most].map((value) => value.toFixed(2)),
        ]),
      ]),
);

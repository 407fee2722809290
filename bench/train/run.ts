/**
 * Measures a training step beside plain products of matrices and beside PyTorch; ../README.md says how to read it.
 *
 *   npm run bench:train
 *   npm run --silent bench:train -- --threads 2 --json > result.json
 */
import { Command, InvalidArgumentError } from "@commander-js/extra-typings";
import { type Ratio, ratioOf } from "../numbers.js";
import { machine } from "../report.js";
import { ourStep, plainProducts, type Timed, torchStep } from "./contestants.js";
import { LENGTH, ROWS, SPEC, stepFlops } from "./workload.js";

const positive = (text: string) => {
  if (/^[1-9]\d*$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Give a whole number from 1.");
};

const { rounds, threads, json } = new Command("bench:train")
  .description("Measure a training step, as ratios of times taken side by side.")
  .option("--rounds <n>", "interleaved rounds", positive, 7)
  .option("--threads <n>", "CPU threads of each contestant", positive, 1)
  .option("--json", "print one JSON document instead of the table")
  .parse()
  .opts();

const { embedding, feedForward } = SPEC.shape;
const products = [
  await plainProducts("products as in 16 rows", [ROWS * LENGTH, embedding, feedForward], threads),
  await plainProducts("products as in 4 rows", [4 * LENGTH, embedding, feedForward], threads),
  await plainProducts("products as in 1 row", [LENGTH, embedding, feedForward], threads),
  await plainProducts("large products", [2048, 1024, 1024], threads),
];
const ours = await Promise.all([ROWS, 4, 1].map((rows) => ourStep(rows, threads)));
const torch = await torchStep(threads);
const torchTimed = "missing" in torch ? [] : [torch];
const all: readonly Timed[] = [...products, ...ours, ...torchTimed];

const times = new Map(all.map(({ name }) => [name, [] as number[]]));
for (let round = 0; round <= rounds; round++)
  for (let i = 0; i < all.length; i++) {
    const each = all[(i + round) % all.length] as Timed;
    const seconds = await each.run();
    // The first round only warms up.
    if (round > 0) times.get(each.name)?.push(seconds);
  }
for (const each of all) await each.close();

const secondsOf = ({ name }: Timed) => times.get(name) as number[];
const flops = stepFlops();
const speeds = (each: Timed, work: number) => secondsOf(each).map((seconds) => work / seconds / 1e9);
const results = ours.map((step) => ({
  name: step.name,
  ...{
    gflops: ratioOf(
      speeds(step, flops),
      secondsOf(step).map(() => 1),
    ),
  },
  tokens_per_second: ratioOf(
    secondsOf(step).map(() => ROWS * LENGTH),
    secondsOf(step),
  ),
  ratios: Object.fromEntries([
    ...products.map((product): [string, Ratio] => [
      `GFLOP/s ÷ ${product.name}`,
      ratioOf(speeds(step, flops), speeds(product, product.flops)),
    ]),
    ...torchTimed.map((peer): [string, Ratio] => [
      `time of ${peer.name} ÷ ours`,
      ratioOf(secondsOf(peer), secondsOf(step)),
    ]),
  ]),
}));

if (json) console.log(JSON.stringify({ machine: machine(), threads, rounds, spec: SPEC, results }, null, 2));
else {
  console.log(
    `A step of ${ROWS} × ${LENGTH} tokens forward and backward, ${(flops / 1e9).toFixed(0)} GFLOP in products;\n` +
      `medians of ${rounds} interleaved rounds, least–most in brackets, ${threads} thread(s).`,
  );
  for (const { name, gflops, tokens_per_second: speed, ratios } of results) {
    console.log(`\n${name}`);
    for (const [ratio, { median, least, most }] of Object.entries(ratios))
      console.log(`  ${ratio.padEnd(46)}${median.toFixed(2)} [${least.toFixed(2)}–${most.toFixed(2)}]`);
    console.log(`  this machine: ${speed.median.toFixed(0)} tokens/s, ${gflops.median.toFixed(0)} GFLOP/s`);
  }
  if ("missing" in torch) console.log(`\nPyTorch is left out: ${torch.missing}`);
}

/** Times a training step beside plain matrix products and beside PyTorch; ../README.md says how to read it. */
/*
 *   npm run bench:train -- --workload lse
 *   npm run --silent bench:train -- --threads 2 --json > result.json
 */
import { Command, InvalidArgumentError, Option } from "@commander-js/extra-typings";
import { initialLora, initialParameters } from "#lse/train/model/initial.js";
import { type Ratio, ratioOf } from "../numbers.js";
import { machine } from "../report.js";
import { ourStep, plainProducts, type Timed, torchStep } from "./contestants.js";
import { positionsOf, stepFlops, WORKLOADS, type Workload } from "./workload.js";

const positive = (text: string) => {
  if (/^[1-9]\d*$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Give a whole number from 1.");
};

const {
  rounds,
  threads,
  json,
  workload: name,
} = new Command("bench:train")
  .description("Measure a training step, as ratios of times taken side by side.")
  .addOption(
    new Option("--workload <name>", "what is trained").choices(Object.keys(WORKLOADS)).default("pretrain"),
  )
  .option("--rounds <n>", "interleaved rounds", positive, 7)
  .option("--threads <n>", "CPU threads of each contestant", positive, 1)
  .option("--json", "print one JSON document instead of the table")
  .parse()
  .opts();

const workload = WORKLOADS[name] as Workload;
const { spec, lora, rows, rowsAtOnce } = workload;
const { embedding, feedForward } = spec.shape;
const length = positionsOf(workload) / rows.length;
const products = [
  ...(await Promise.all(
    rowsAtOnce.map((count) =>
      plainProducts(`products as in ${count} row(s)`, [count * length, embedding, feedForward], threads),
    ),
  )),
  await plainProducts("large products", [2048, 1024, 1024], threads),
];
const parameters = { ...initialParameters(spec, 1), ...(lora && initialLora(spec, lora, 1)) };
const steps = [
  ...rowsAtOnce.map((count) => ({ rowsAtOnce: count, recompute: false })),
  { rowsAtOnce: rowsAtOnce.at(-1) ?? 1, recompute: true },
];
const ours = await Promise.all(steps.map((step) => ourStep(workload, parameters, step, threads)));
const torch = workload.torch ? await torchStep(workload, threads) : { missing: "it has no such step" };
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
const flops = stepFlops(workload);
const speeds = (each: Timed, work: number) => secondsOf(each).map((seconds) => work / seconds / 1e9);
const results = ours.map((step) => ({
  name: step.name,
  gflops: ratioOf(
    speeds(step, flops),
    secondsOf(step).map(() => 1),
  ),
  tokens_per_second: ratioOf(
    secondsOf(step).map(() => positionsOf(workload)),
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

if (json)
  console.log(
    JSON.stringify({ machine: machine(), workload: name, threads, rounds, spec, results }, null, 2),
  );
else {
  console.log(
    `A step of ${workload.about}: forward and backward, ${(flops / 1e9).toFixed(0)} GFLOP in products;\n` +
      `medians of ${rounds} interleaved rounds, least–most in brackets, ${threads} thread(s).`,
  );
  for (const { name, gflops, tokens_per_second: speed, ratios } of results) {
    console.log(`\n${name}`);
    for (const [ratio, { median, least, most }] of Object.entries(ratios))
      console.log(`  ${ratio.padEnd(46)}${median.toFixed(2)} [${least.toFixed(2)}–${most.toFixed(2)}]`);
    console.log(
      `  this machine: ${(1000 / speed.median).toPrecision(3)} ms a token, ${gflops.median.toFixed(0)} GFLOP/s`,
    );
  }
  console.log(
    `\nMost memory at one time: ${(process.resourceUsage().maxRSS / 2 ** 20).toFixed(1)} GiB, all contestants together`,
  );
  if ("missing" in torch) console.log(`\nPyTorch is left out: ${torch.missing}`);
}

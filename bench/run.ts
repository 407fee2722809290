/** Measures the engine beside its peers; README.md says what is compared with what. */
/*
 *   npm run bench                                        everything that is built; takes long
 *   npm run bench -- --no-peers                          needs no build; a minute
 *   npm run --silent bench -- --only evolve-round --json > result.json
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Command, InvalidArgumentError, Option } from "@commander-js/extra-typings";
import { CONTESTANTS, type Contestant, type ContestantName } from "./contestants/contestant.js";
import { cppBound } from "./contestants/cpp-bound.js";
import { llamaServer } from "./contestants/llama-server.js";
import { lse } from "./contestants/lse.js";
import { nodeLlamaCppBest } from "./contestants/node-llama-cpp-best.js";
import { nodeLlamaCppPlain } from "./contestants/node-llama-cpp-plain.js";
import { transformersJs } from "./contestants/transformers-js.js";
import { measure } from "./measure.js";
import { encoderOf, modelOf } from "./models.js";
import { BUILD_COMMAND, CACHE, CPP_BOUND, isBuilt, LLAMA_SERVER } from "./paths.js";
import { machine, type Report, type Result, resultOf, tableOf } from "./report.js";
import { type BenchShape, SHAPES, sizeOf, WORKLOADS } from "./workloads.js";

function integer(least: number): (text: string) => number {
  return (text) => {
    if (/^\d+$/.test(text) && Number(text) >= least) return Number(text);
    throw new InvalidArgumentError(`Give a whole number of at least ${least}.`);
  };
}

function shapes(text: string): BenchShape[] {
  return text.split(",").map((name) => {
    const shape = SHAPES.find((known) => known === name.trim());
    if (shape === undefined) throw new InvalidArgumentError(`Give some of ${SHAPES.join(", ")}.`);
    return shape;
  });
}

function contestantNames(text: string): ContestantName[] {
  return text.split(",").map((name) => {
    const known = CONTESTANTS.find((contestant) => contestant === name.trim());
    if (known === undefined) throw new InvalidArgumentError(`Give some of ${CONTESTANTS.join(", ")}.`);
    return known;
  });
}

const options = new Command("bench")
  .description("Measure the engine beside its peers, as ratios of times taken side by side.")
  .addOption(new Option("--only <workload>", "one workload").choices(WORKLOADS))
  .option("--shape <list>", "shapes, separated by commas (default: 1m,25m,0.6b; --no-peers: 1m)", shapes)
  .option("--contestants <list>", "only these beside lse, separated by commas", contestantNames)
  .option("--rounds <n>", "interleaved rounds", integer(1), 5)
  .option("--threads <n>", "CPU threads of each contestant", integer(1), 1)
  .addOption(new Option("--full", "no workload scaled down; takes hours").conflicts("noPeers"))
  .option("--no-peers", "only what needs no build, on small workloads")
  .option("--json", "print one JSON document instead of the table")
  .option("--out <file>", "where to write the JSON document too", join(CACHE, "results.json"))
  .parse()
  .opts();

const inProcess: readonly Contestant[] = [lse, nodeLlamaCppPlain, nodeLlamaCppBest, transformersJs];
const built: readonly { readonly program: string; readonly contestants: readonly Contestant[] }[] = [
  { program: CPP_BOUND, contestants: [cppBound] },
  { program: LLAMA_SERVER, contestants: [llamaServer] },
];

const { peers, rounds, threads } = options;
const ready = peers ? built.filter(({ program }) => isBuilt(program)) : [];
const isAsked = ({ name }: Contestant) =>
  name === "lse" || options.contestants === undefined || options.contestants.includes(name);
const contestants = [...inProcess, ...ready.flatMap((each) => each.contestants)].filter(isAsked);
const unbuilt = (peers ? built : [])
  .filter((each) => !ready.includes(each))
  .flatMap((each) => each.contestants.filter(isAsked))
  .map(({ name }) => `${name} is not built; run ${BUILD_COMMAND}`);

const scale = !peers ? "quick" : options.full ? "full" : "default";
const results: Result[] = [];
for (const shape of options.shape ?? (peers ? SHAPES : SHAPES.slice(0, 1))) {
  const modelPath = await modelOf(shape);
  const encode = await encoderOf(modelPath);
  for (const workload of options.only === undefined ? WORKLOADS : [options.only]) {
    const size = sizeOf(shape, workload, scale);
    const progress = (message: string) => console.error(`${shape} · ${workload}: ${message}`);
    const measurement = await measure(contestants, {
      shape,
      workload,
      size,
      modelPath,
      encode,
      threads,
      rounds,
      progress,
    });
    results.push(resultOf({ shape, workload, size }, measurement, unbuilt));
  }
}

const report: Report = { machine: machine(), threads, rounds, results };
const json = JSON.stringify(report, null, 2);
mkdirSync(dirname(options.out), { recursive: true });
writeFileSync(options.out, `${json}\n`);
console.log(options.json ? json : tableOf(report));

import { Command, Option } from "@commander-js/extra-typings";
import { LseError } from "../errors.js";
import { METHODS } from "../evolve/config.js";
import { readJson } from "../lib/json-file.js";
import { type RunConfig, resolveConfig } from "../runs/config.js";
import { resumeRun, startRun } from "../runs/evolve.js";
import { dryRun } from "../runs/plan.js";
import { requireOptions, taskFields } from "../runs/tasks.js";
import {
  decimal,
  gpuOption,
  integer,
  price,
  sqlEngineOption,
  taskOption,
  taskOptionValues,
  timeoutOption,
} from "./options.js";

export function evolveCommand() {
  return new Command("evolve")
    .description("evolve a task's instructions with a model in this process")
    .argument("[folder]", "a folder of lse init: your own database, in place of --task, --data and --out")
    .option("--config <file>", "a config.json to start from; other options override it")
    .addOption(taskOption())
    .option("--task-option <name=value>", "of a task's own file, as often as wanted", taskOptionValues)
    .option(
      "--data <path>",
      "bird: BIRD's folder, or its question file; mmlu: a folder of subjects, the folder of one, or its file",
    )
    .option("--db <name>", "which of the databases; mini: split and seed, such as test/3 (test/0)")
    .addOption(
      new Option(
        "--answers <form>",
        "bird: where queries are, between answer tags or in ```sql fences (tags)",
      ).choices(["tags", "fenced"] as const),
    )
    .option("--cut-repetition", "bird: cut off what a response repeats at its end, before it is read")
    .addOption(sqlEngineOption("bird: what runs the queries; scores in DuckDB are not BIRD's (sqlite)"))
    .option("--test-db <name>", "another database, whose problems are the test")
    .addOption(new Option("--subject <name>", "mmlu: which of the subjects").conflicts("db"))
    .option(timeoutOption.flags, `${timeoutOption.description} (30)`, timeoutOption.parse)
    .option("--cache <folder>", "where gold results are kept (your cache folder)")
    .option(
      "--model <file>",
      "a GGUF file, an ONNX model's folder, openai:<model>, anthropic:<model>, or a run's events.jsonl to replay",
    )
    .option(
      "--evolver-model <file>",
      "what writes the edits: a GGUF file, ONNX folder or service's model (the model that answers)",
    )
    .option("--evolver-adapter <file>", "a trained adapter on the model that writes the edits")
    .option("--base-url <url>", "another server that speaks like OpenAI's or Anthropic's")
    .option("--price <input,output>", "dollars for a million tokens of the service's model", price)
    .option("--parallel <count>", "requests to the service at once (16)", integer(1))
    .option("--requests-per-minute <count>", "limit of requests to the service (none)", decimal(0.01))
    .option("--evolver-base-url <url>", "--base-url for the evolver")
    .option("--evolver-price <input,output>", "--price for the evolver", price)
    .option("--context <tokens>", "tokens of context (the model's, at most 16384)", integer(1))
    .addOption(
      new Option("--engine <name>", "fast: all answers at once; exact: one at a time (fast)").choices([
        "fast",
        "exact",
      ] as const),
    )
    .option("--gpu-layers <count>", "layers on the GPU (as many as fit)", integer(0))
    .option("--threads <count>", "CPU threads (measured; exact: all cores but one)", integer(1))
    .option("--decode-batch <tokens>", "fast: most tokens evaluated at once (measured)", integer(1))
    .option("--sequences <count>", "fast: answers generated at once, up to 120 (measured)", integer(1))
    .option("--flash-attention", "fast: use flash attention (measured)")
    .option("--no-flash-attention", "fast: do without it")
    .option("--rounds <count>", "edits to make (25)", integer(1))
    .option("--batch <count>", "problems the evolver reads about in a round (10)", integer(1))
    .option("--holdout <count>", "problems that score each node (50)", integer(1))
    .option(
      "--test <count>",
      "problems for the chosen node alone, at the end (as many as the holdout)",
      integer(0),
    )
    .option("--samples <count>", "completions per holdout or test problem (1; the paper takes 8)", integer(1))
    .addOption(
      new Option("--method <name>", "what chooses the node to edit, and edits it (ucb)").choices(METHODS),
    )
    .option(
      "--stop-answers <count>",
      "begin no round that could take more answers, the test's included",
      integer(1),
    )
    .option("--max-cost <dollars>", "stop before models with a price cost more", decimal(0.000001))
    .option("--stop-tokens <count>", "stop when so many tokens were generated", integer(1))
    .option("--stop-minutes <time>", "stop after so long", decimal(0.01))
    .option("--stop-score <share>", "stop at this holdout score", decimal(0, 1))
    .option("--stop-stagnation <rounds>", "stop after so many rounds without a better node", integer(1))
    .addOption(
      new Option("--schedule <name>", "reference: the published code's order of steps (algorithm1)").choices([
        "algorithm1",
        "reference",
      ] as const),
    )
    .option("--k-fold <folds>", "cross-validate the choice of a node, in place of a test", integer(2))
    .option("--ucb-c <weight>", "weight of exploration in ucb and ucb-se (2)", decimal(0))
    .option("--spend-all", "answers left at the end score the best node anew: methods use equally many")
    .option("--tries <count>", "attempts at a valid edit in a round (3)", integer(1))
    .option("--constrain-edits", "a grammar makes the evolver write its tags; fast engine only")
    .option("--seed <number>", "seed of everything random (0)", integer(0))
    .option("--temperature <value>", "0 takes the most likely token (0.7)", decimal(0))
    .option("--edit-temperature <value>", "of edits only (that of answers)", decimal(0))
    .option("--top-k <count>", "0 keeps all tokens (20)", integer(0))
    .option("--top-p <share>", "1 keeps all tokens (0.8)", decimal(0, 1))
    .option("--min-p <share>", "0 drops no token (0)", decimal(0, 1))
    .option("--presence-penalty <value>", "on tokens generated before (0.5)", decimal(-2, 2))
    .option("--max-tokens <count>", "longest answer and edit (4096)", integer(1))
    .option("--reuse <folder>", "runs whose completions need not be generated again where they are the same")
    .option("--out <folder>", "new folder for the run")
    .option("--resume <folder>", "continue the run in this folder, with its own configuration")
    .option("--dry-run", "print the configuration and what the run would cost, and stop")
    .addOption(gpuOption())
    .option("--json", "print one JSON document")
    .action(async (folder, options, command) => {
      const given = Object.keys(options).filter((name) => command.getOptionValueSource(name) === "cli");
      if (folder !== undefined) {
        const { evolveOwn } = await import("../runs/workspace.js");
        await evolveOwn(folder, {
          ...{ given, maxCost: options.maxCost, gpu: options.gpu, json: options.json === true },
          dryRun: options.dryRun === true,
          configOver: (base) => configOf(options, base, folder),
        });
        return;
      }
      if (options.resume !== undefined) {
        const extra = given.filter((name) => !["resume", "json", "maxCost"].includes(name));
        if (extra.length > 0) {
          throw new LseError(
            `--resume goes on with the run's own configuration and takes no other option than --max-cost (${extra.join(", ")})`,
            "Leave the other options away, or start a new run with --config and --out",
          );
        }
        await resumeRun(options.resume, options.maxCost, options.json === true);
        return;
      }
      const config = configOf(
        options,
        options.config === undefined ? {} : (readJson(options.config) as Partial<RunConfig>),
        options.config ?? "the command line",
      );
      if (options.dryRun) {
        await dryRun(config, options.gpu, options.json === true);
        return;
      }
      if (options.out === undefined) {
        throw new LseError("--out is missing", "Give a new folder for the run, such as --out runs/first");
      }
      await startRun(options.out, config, options.json === true);
    });
}

type Options = ReturnType<ReturnType<typeof evolveCommand>["opts"]>;

/** Options that are fields of the configuration, by the part of it they are in. */
const TASK = ["data", "testDb", "answers", "cutRepetition", "sqlEngine", "timeout", "cache"] as const;
const MODEL = [
  ...["engine", "context", "gpuLayers", "threads", "decodeBatch", "sequences", "flashAttention"],
] as const;
const SERVICE = ["baseUrl", "price", "parallel", "requestsPerMinute"] as const;
const EVOLVE = [
  ...["rounds", "batch", "holdout", "test", "samples", "method", "ucbC", "schedule", "kFold", "spendAll"],
  ...["tries", "constrainEdits", "seed", "editTemperature"],
] as const;
const SAMPLING = ["temperature", "topK", "topP", "minP", "presencePenalty", "maxTokens"] as const;

/** The configuration that the options give, over another one. @param origin of that one, for error messages */
function configOf(options: Options, base: Partial<RunConfig>, origin: string): RunConfig {
  const fields = (names: readonly (keyof Options)[]) =>
    Object.fromEntries(names.map((name) => [name, options[name]]));
  const config = {
    task: taskFields(base.task ?? {}, {
      ...{ task: options.task, options: options.taskOption, db: options.db ?? options.subject },
      ...fields(TASK),
    }),
    model: override(base.model, {
      ...{ path: options.model, ...fields(MODEL) },
      remote: remoteOf(base.model?.remote, fields(SERVICE)),
    }),
    ...override(base.reuse === undefined ? {} : { reuse: base.reuse }, { reuse: options.reuse }),
    evolver: override(base.evolver, {
      ...{ model: options.evolverModel, adapter: options.evolverAdapter },
      remote: remoteOf(base.evolver?.remote, {
        ...{ baseUrl: options.evolverBaseUrl, price: options.evolverPrice },
      }),
    }),
    evolve: {
      ...override(base.evolve, fields(EVOLVE)),
      stop: override(base.evolve?.stop, {
        ...{ answers: options.stopAnswers, tokens: options.stopTokens, minutes: options.stopMinutes },
        ...{ score: options.stopScore, stagnation: options.stopStagnation, cost: options.maxCost },
      }),
      sampling: override(base.evolve?.sampling, fields(SAMPLING)),
    },
  };
  requireOptions(config.task);
  if (config.model.path === undefined) throw new LseError("--model is missing", "See `lse evolve --help`");
  return resolveConfig(config, origin);
}

/** The settings of a service, if there are any. */
function remoteOf(base: object | undefined, over: Record<string, unknown>) {
  const settings = override(base, over);
  return Object.keys(settings).length === 0 ? undefined : settings;
}

/** `base` with those values of `over` that are given. */
function override(base: object | undefined, over: Record<string, unknown>): Record<string, unknown> {
  const given = Object.entries(over).filter(([, value]) => value !== undefined);
  return { ...base, ...Object.fromEntries(given) };
}

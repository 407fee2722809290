/** The options of `lse evolve`, a row each: flags, the field of the configuration that it sets, description, values. */
import { LseError } from "../errors.js";
import { EDIT_CONTEXTS, EDITS, METHOD_NAMES } from "../evolve/config.js";
import { readText } from "../lib/files.js";
import { GPUS } from "../runtime/gpu-time.js";
import { REASONING } from "../task.js";
import { decimal, integer, price, taskName, taskOptionValues } from "./options.js";

/** How a value is read: by a function, or as one of several. */
type Values = ((text: string, before?: Record<string, string>) => unknown) | readonly string[];

/** Flags; the field, such as "evolve.holdout", empty for what is not part of the configuration; description. */
type Row = readonly [flags: string, field: string, description: string, values?: Values];

/** By the heading that the help shows them under. */
export const OPTION_GROUPS: Readonly<Record<string, readonly Row[]>> = {
  "Data:": [
    ["--task <name>", "", "bird, mini, mmlu, or the path of a task's own file (bird)", taskName],
    [
      "--data <path>",
      "task.data",
      "bird: BIRD's folder, or its question file; mmlu: a folder of subjects, the folder of one, or its file",
    ],
    ["--db <name>", "task.db", "which of the databases; mini: split and seed, such as test/3 (test/0)"],
    ["--subject <name>", "task.db", "mmlu: which of the subjects"],
    ["--test-db <name>", "task.testDb", "another database, whose problems are the test"],
    [
      "--task-option <name=value>",
      "task.options",
      "an option of a task's own file; may be repeated",
      taskOptionValues,
    ],
    [
      "--answers <form>",
      "task.answers",
      "bird: where queries stand, between answer tags or in ```sql fences (tags)",
      ["tags", "fenced"],
    ],
    [
      "--cut-repetition",
      "task.cutRepetition",
      "bird: cut off what a response repeats at its end, before it is read",
    ],
    [
      "--sql-engine <name>",
      "task.sqlEngine",
      "bird: what runs the queries; scores in DuckDB are not BIRD's (sqlite)",
      ["sqlite", "duckdb"],
    ],
    [
      "--timeout <seconds>",
      "task.timeout",
      "time limit of a predicted query (30), or of a grade by a task's own file (300)",
      decimal(0.001),
    ],
    ["--cache <folder>", "task.cache", "where gold results are kept (your cache folder)"],
  ],
  "Models:": [
    [
      "--model <file>",
      "model.path",
      "answers: a GGUF file, an ONNX model's folder, openai:<model>, anthropic:<model>, or a run's events.jsonl to replay",
    ],
    [
      "--evolver-model <file>",
      "evolver.model",
      "writes the edits: a GGUF file, ONNX folder or service's model (the model that answers)",
    ],
    ["--evolver-adapter <file>", "evolver.adapter", "a trained adapter on the model that writes the edits"],
    [
      "--template <name>",
      "model.template.name",
      "chat template: one of the model's own, or chatml or plain for a model without one",
    ],
    ["--base-url <url>", "model.remote.baseUrl", "another server that speaks like OpenAI's or Anthropic's"],
    [
      "--price <input,output>",
      "model.remote.price",
      "dollars for a million tokens of the service's model",
      price,
    ],
    ["--parallel <count>", "model.remote.parallel", "requests to the service at once (16)", integer(1)],
    [
      "--requests-per-minute <count>",
      "model.remote.requestsPerMinute",
      "limit of requests to the service (none)",
      decimal(0.01),
    ],
    ["--evolver-base-url <url>", "evolver.remote.baseUrl", "--base-url for the evolver"],
    ["--evolver-price <input,output>", "evolver.remote.price", "--price for the evolver", price],
    ["--reuse <folder>", "reuse", "runs whose completions are used again where the request is the same"],
  ],
  "Budget:": [
    ["--rounds <count>", "evolve.rounds", "edits to make (25)", integer(1)],
    ["--holdout <count>", "evolve.holdout", "problems that score each node (50)", integer(1)],
    ["--batch <count>", "evolve.batch", "problems the evolver reads about in a round (10)", integer(1)],
    [
      "--test <count>",
      "evolve.test",
      "problems for the chosen node alone, at the end (as many as the holdout)",
      integer(0),
    ],
    [
      "--samples <count>",
      "evolve.samples",
      "answers per holdout or test problem that are scored (1; the paper takes 8)",
      integer(1),
    ],
    [
      "--max-cost <dollars>",
      "evolve.stop.cost",
      "stop before models with a price cost more",
      decimal(0.000001),
    ],
    ["--stop-minutes <time>", "evolve.stop.minutes", "stop after so long", decimal(0.01)],
    [
      "--stop-answers <count>",
      "evolve.stop.answers",
      "begin no round that could take more answers, the test's included",
      integer(1),
    ],
    ["--stop-tokens <count>", "evolve.stop.tokens", "stop when so many tokens were generated", integer(1)],
    ["--stop-score <share>", "evolve.stop.score", "stop at this holdout score", decimal(0, 1)],
    [
      "--stop-stagnation <rounds>",
      "evolve.stop.stagnation",
      "stop after so many rounds without a better node",
      integer(1),
    ],
  ],
  "Method:": [
    ["--method <name>", "evolve.method", "how the node to edit is chosen, and edited (ucb)", METHOD_NAMES],
    ["--seed <number>", "evolve.seed", "seed of everything random (0)", integer(0)],
    [
      "--schedule <name>",
      "evolve.schedule",
      "reference: the published code's order of steps (algorithm1)",
      ["algorithm1", "reference"],
    ],
    ["--ucb-c <weight>", "evolve.ucbC", "weight of exploration in ucb and ucb-se (2)", decimal(0)],
    ["--tries <count>", "evolve.tries", "attempts at a valid edit in a round (3)", integer(1)],
    [
      "--edits <kind>",
      "evolve.edits",
      "rewrite: new instructions as a whole; delta: changes of numbered rules; example: solved problems; mixed: each round draws one (the method's own, or rewrite)",
      EDITS,
    ],
    [
      "--prefer-wrong",
      "evolve.preferWrong",
      "up to half of each batch are problems that the node answered wrong before",
    ],
    [
      "--edit-context <what>",
      "evolve.editContext",
      "what the evolver is shown of the task: the whole prompt, names of tables and columns, or nothing (prompt; names for delta)",
      EDIT_CONTEXTS,
    ],
    [
      "--edit-reports <count>",
      "evolve.editReports",
      "most answers of a batch that the evolver is shown (as many as fit)",
      integer(1),
    ],
    [
      "--constrain-edits",
      "evolve.constrainEdits",
      "a grammar makes the evolver write its tags; fast engine only",
    ],
    [
      "--k-fold <folds>",
      "evolve.kFold",
      "cross-validate the choice of a node, in place of a test",
      integer(2),
    ],
    [
      "--spend-all",
      "evolve.spendAll",
      "answers left at the end score the best node again: methods use equally many",
    ],
  ],
  "Answers:": [
    [
      "--examples <count>",
      "evolve.strategy.examples",
      "solved problems to show in each prompt, the most similar ones, never of holdout or test (0)",
      integer(0, 100),
    ],
    [
      "--draws <count>",
      "evolve.strategy.samples",
      "ask the model so many times for each answer, and take one: --vote says which (1)",
      integer(1, 100),
    ],
    [
      "--vote <how>",
      "evolve.strategy.vote",
      "which of several answers is taken: one with the most frequent result, or the first that works (result)",
      ["result", "first"],
    ],
    ["--mend", "evolve.strategy.mend", "add the joins that a query lacks, where foreign keys say which"],
    [
      "--repair <count>",
      "evolve.strategy.repair",
      "how often an answer that fails is given back with the error (0)",
      integer(0, 10),
    ],
    ["--repair-empty", "evolve.strategy.repairEmpty", "give a query without rows back, too"],
    [
      "--reasoning <how>",
      "evolve.strategy.reasoning",
      "how much to think before an answer (full)",
      REASONING,
    ],
    [
      "--answer-tokens <count>",
      "evolve.strategy.maxTokens",
      "longest answer (256 and 512 for no and brief reasoning, else --max-tokens)",
      integer(1),
    ],
    [
      "--instructions <file>",
      "evolve.instructions",
      "start from the instructions in this file, in place of the task's own",
      instructionsIn,
    ],
  ],
  "Sampling:": [
    [
      "--temperature <value>",
      "evolve.sampling.temperature",
      "0 takes the most likely token (0.7)",
      decimal(0),
    ],
    ["--edit-temperature <value>", "evolve.editTemperature", "of edits only (that of answers)", decimal(0)],
    ["--edit-tokens <count>", "evolve.editMaxTokens", "longest edit (as long as answers may be)", integer(1)],
    [
      "--rule-tokens <count>",
      "evolve.ruleTokens",
      "most tokens of an edit's rules (as many as fit)",
      integer(1),
    ],
    [
      "--example-tokens <count>",
      "evolve.exampleTokens",
      "most tokens of an edit's examples (as many as fit)",
      integer(1),
    ],
    ["--top-k <count>", "evolve.sampling.topK", "0 keeps all tokens (20)", integer(0)],
    ["--top-p <share>", "evolve.sampling.topP", "1 keeps all tokens (0.8)", decimal(0, 1)],
    ["--min-p <share>", "evolve.sampling.minP", "0 drops no token (0)", decimal(0, 1)],
    [
      "--presence-penalty <value>",
      "evolve.sampling.presencePenalty",
      "on tokens generated before (0.5)",
      decimal(-2, 2),
    ],
    ["--max-tokens <count>", "evolve.sampling.maxTokens", "longest answer and edit (4096)", integer(1)],
  ],
  "Engine:": [
    ["--context <tokens>", "model.context", "tokens of context (the model's, at most 16384)", integer(1)],
    [
      "--engine <name>",
      "model.engine",
      "fast: all answers at once; exact: one at a time (fast)",
      ["fast", "exact"],
    ],
    ["--gpu-layers <count>", "model.gpuLayers", "layers on the GPU (as many as fit)", integer(0)],
    ["--threads <count>", "model.threads", "CPU threads (measured; exact: all cores but one)", integer(1)],
    [
      "--decode-batch <tokens>",
      "model.decodeBatch",
      "fast: most tokens evaluated at once (measured)",
      integer(1),
    ],
    [
      "--sequences <count>",
      "model.sequences",
      "fast: answers generated at once, up to 120 (measured)",
      integer(1),
    ],
    ["--flash-attention", "model.flashAttention", "fast: use flash attention (measured)"],
    ["--no-flash-attention", "", "fast: do not use it"],
  ],
  "Run and output:": [
    ["--config <file>", "", "a config.json to start from; other options override it"],
    [
      "--from <run>",
      "",
      "task, model, settings and best instructions of a run to start from; other options override them",
    ],
    ["--out <folder>", "", "new folder for the run"],
    ["--resume <folder>", "", "continue the run in this folder, with its own configuration"],
    ["--dry-run", "", "print what the run would ask for and take, and stop"],
    ["--gpu <name>", "", "with --dry-run: how long it would take there", Object.keys(GPUS)],
    ["--json", "", "print one JSON document"],
    ["--schema", "", "print the JSON schema of --config, and stop"],
  ],
};

function instructionsIn(path: string): string {
  const text = readText(path);
  if (text) return text;
  throw new LseError(
    `${path}: ${text === null ? "no such file" : "it is empty"}`,
    "Give a text file with instructions, such as a run's best.md",
  );
}

import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { lse, lseWithEnvironment, startLse } from "../cli.js";
import { writeMarkovModel } from "../markov-model.js";
import { buildTinyBird } from "../tiny-bird/build.js";

const folder = mkdtempSync(join(tmpdir(), "lse-cli-"));
const path = (name: string) => join(folder, name);

const OPTIONS = [
  "--data",
  path("data"),
  "--db",
  "bakery",
  "--cache",
  path("cache"),
  "--model",
  path("model.gguf"),
  "--rounds",
  "4",
  "--batch",
  "3",
  "--holdout",
  "5",
  "--seed",
  "1",
  "--tries",
  "2",
  "--max-tokens",
  "80",
  "--temperature",
  "1",
  "--top-k",
  "0",
  "--top-p",
  "1",
  "--context",
  "4096",
  "--gpu-layers",
  "0",
  "--threads",
  "1",
];

const EXACT = ["--engine", "exact"];

const read = (run: string, file: string) => readFileSync(join(path(run), file), "utf8");

/** Completed generations in a run's events, half a line at the end aside. */
function generations(run: string): number {
  const file = join(path(run), "events.jsonl");
  if (!existsSync(file)) return 0;
  return readFileSync(file, "utf8")
    .split("\n")
    .slice(0, -1)
    .filter((line) => line.includes('"type":"generation"')).length;
}

beforeAll(async () => {
  buildTinyBird(path("data"));
  await writeMarkovModel(path("model.gguf"));
  expect(lse("evolve", ...OPTIONS, "--out", path("whole"))).toMatchObject({ status: 0 });
});

afterAll(() => rmSync(folder, { recursive: true }));

describe("lse evolve", () => {
  it("grows a tree with some valid and some rejected edits", () => {
    const tree = JSON.parse(read("whole", "tree.json"));
    expect(tree.nodes.length).toBeGreaterThan(1);
    expect(tree.nodes.length).toBeLessThan(5);
    expect(tree.total_selections).toBe(4);
    expect(read("whole", "events.jsonl")).toMatch(/"rejected":"(no <prompt>|cut off)/);
    expect(read("whole", "best.md").trim()).toBe(tree.nodes[0].instructions);
  });

  it("gives the same tree again, from the same options and from its own config.json", () => {
    lse("evolve", ...OPTIONS, "--out", path("again"));
    expect(read("again", "tree.json")).toBe(read("whole", "tree.json"));
    lse("evolve", "--config", join(path("whole"), "config.json"), "--out", path("configured"));
    expect(read("configured", "tree.json")).toBe(read("whole", "tree.json"));
  });

  it("the exact engine grows the same tree, where floating point leaves no doubt", () => {
    expect(lse("evolve", ...OPTIONS, ...EXACT, "--out", path("exact"))).toMatchObject({ status: 0 });
    expect(read("exact", "tree.json")).toBe(read("whole", "tree.json"));
  });

  it("keeps in its configuration what the fast engine measured, so that a resumed run computes alike", () => {
    const { model } = JSON.parse(read("whole", "config.json"));
    expect(model).toMatchObject({ engine: "fast", threads: 1 });
    expect(model.kvCells).toBeGreaterThan(4096);
    expect([8, 16, 32, 64]).toContain(model.sequences);
    expect([128, 256, 512, 1024]).toContain(model.decodeBatch);
    expect(model.flashAttention).toBeTypeOf("boolean");
  });

  const total = () => generations("whole");

  it.each([
    ["fast", 0.02],
    ["fast", 0.3],
    ["fast", 0.7],
    ["exact", 0.02],
    ["exact", 0.15],
    ["exact", 0.5],
  ])("%s: killed after %f of the generations and resumed, it ends the same", async (engine, share) => {
    const run = `killed-${engine}-${share}`;
    const child = startLse("evolve", ...OPTIONS, "--engine", engine, "--out", path(run));
    while (generations(run) < share * total()) await sleep(5);
    child.kill("SIGKILL");
    await once(child, "exit");
    const before = generations(run);
    expect(before).toBeLessThan(total());

    const { status, stdout } = lse("evolve", "--resume", path(run), "--json");
    expect(status).toBe(0);
    expect(read(run, "tree.json")).toBe(read("whole", "tree.json"));
    expect(generations(run)).toBe(total());
    // Nothing is paid for twice, but for the call that was cut off, of which the fast engine needs the company.
    const again = JSON.parse(stdout).usage.completions - (total() - before);
    if (engine === "exact") expect(again).toBe(0);
    else expect(again).toBeLessThan(5);
  });

  it("resuming a finished run generates nothing", () => {
    const { stdout } = lse("evolve", "--resume", path("whole"), "--json");
    expect(JSON.parse(stdout)).toMatchObject({
      usage: { completions: 0 },
      stop_reason: "all rounds were done",
    });
  });

  it("Ctrl-C ends with 130 and says how to go on", async () => {
    const child = startLse("evolve", ...OPTIONS, "--out", path("interrupted"));
    while (generations("interrupted") < 3) await sleep(5);
    child.kill("SIGINT");
    const [code] = await once(child, "exit");
    expect(code).toBe(130);
    expect(lse("evolve", "--resume", path("interrupted")).status).toBe(0);
    expect(read("interrupted", "tree.json")).toBe(read("whole", "tree.json"));
  });

  it("--constrain-edits leaves no edit without its tags", () => {
    const options = [...OPTIONS, "--constrain-edits", "--seed", "3"];
    expect(lse("evolve", ...options, "--out", path("constrained"))).toMatchObject({ status: 0 });
    const events = read("constrained", "events.jsonl");
    expect(events).toContain('"rejected":null');
    expect(events).not.toContain('"rejected":"no <prompt>');
    const free = OPTIONS.concat("--seed", "3", "--out", path("free"));
    lse("evolve", ...free);
    expect(read("free", "events.jsonl")).toContain('"rejected":"no <prompt>');
    const { status, stderr } = lse("evolve", ...options, ...EXACT, "--out", path("constrained-exact"));
    expect(status).toBe(1);
    expect(stderr).toMatch(/--constrain-edits: the exact engine cannot keep to a grammar/);
    expect(existsSync(path("constrained-exact"))).toBe(false);
  });

  it("--edits delta changes rules, and a grammar keeps a model to the changes that there are", () => {
    const options = ["--edits", "delta", "--edit-tokens", "400", "--constrain-edits", "--context", "2048"];
    expect(lse("evolve", ...OPTIONS, ...options, "--out", path("delta"))).toMatchObject({ status: 0 });
    const tree = JSON.parse(read("delta", "tree.json"));
    const [root, ...others] = tree.nodes;
    expect(others.length).toBeGreaterThan(0);
    for (const { instructions } of others) expect(instructions).toContain("\n\nRules:\n1. ");
    expect(root.instructions).not.toContain("Rules:");
    expect(read("delta", "events.jsonl")).not.toContain('"rejected":"no <add>');
    expect(lse("evolve", "--resume", path("delta")).status).toBe(0);
  });

  it("--edits example puts solved problems into the instructions, and asks no evolver", () => {
    expect(lse("evolve", ...OPTIONS, "--edits", "example", "--out", path("example"))).toMatchObject({
      status: 0,
    });
    const [, child] = JSON.parse(read("example", "tree.json")).nodes;
    expect(child.instructions).toMatch(/\n\nExamples:\n- .*Question: .*\n {2}<answer>SELECT .*<\/answer>$/s);
    expect(read("example", "events.jsonl")).not.toMatch(/"type":"edit".*"tokens":[1-9]/);
  });

  // Other methods and kinds are resumed in unit tests, at every event.
  it("mixed edits: killed and resumed, it ends the same", async () => {
    const options = [...OPTIONS, "--edits", "mixed", "--constrain-edits", "--edit-tokens", "400"];
    expect(lse("evolve", ...options, "--out", path("mixed"))).toMatchObject({ status: 0 });
    expect(JSON.parse(read("mixed", "tree.json")).nodes.length).toBeGreaterThan(1);
    const child = startLse("evolve", ...options, "--out", path("killed-mixed"));
    while (generations("killed-mixed") < generations("mixed") / 2) await sleep(5);
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(generations("killed-mixed")).toBeLessThan(generations("mixed"));
    expect(lse("evolve", "--resume", path("killed-mixed"))).toMatchObject({ status: 0 });
    expect(read("killed-mixed", "tree.json")).toBe(read("mixed", "tree.json"));
    expect(generations("killed-mixed")).toBe(generations("mixed"));
  });

  it("--test-db tests the chosen instructions on another database", () => {
    const options = ["--rounds", "1", "--test-db", "library", "--test", "2"];
    expect(lse("evolve", ...OPTIONS, ...options, "--out", path("transfer"))).toMatchObject({ status: 0 });
    const events = read("transfer", "events.jsonl").trim().split("\n");
    const asked = events.map((line) => JSON.parse(line)).filter(({ phase }) => phase === "test");
    expect(asked.map(({ problem }) => problem)).toEqual([
      expect.stringMatching(/^transfer\//),
      expect.stringMatching(/^transfer\//),
    ]);
    const wrong = lse("evolve", ...OPTIONS, "--test-db", "nowhere", "--out", path("nowhere"));
    expect(wrong).toMatchObject({ status: 1, stderr: expect.stringContaining("nowhere") });
  });

  it("replays from its events without the model", () => {
    const replay = [...OPTIONS];
    replay[replay.indexOf(path("model.gguf"))] = join(path("whole"), "events.jsonl");
    expect(lse("evolve", ...replay, "--out", path("replayed"))).toMatchObject({ status: 0 });
    expect(read("replayed", "tree.json")).toBe(read("whole", "tree.json"));
    const otherSeed = lse("evolve", ...replay, "--seed", "2", "--out", path("replayed-2"));
    expect(otherSeed.status).toBe(1);
    expect(otherSeed.stderr).toMatch(/events\.jsonl: this journal does not have/);
  });

  it("--json prints one document on standard output and nothing else", () => {
    const { stdout } = lse("evolve", ...OPTIONS, "--out", path("json"), "--json");
    const result = JSON.parse(stdout);
    expect(result).toMatchObject({
      run: path("json"),
      answers: expect.any(Number),
      seed: { node: 0, score: 0 },
    });
    expect(result.generations).toBe(total());
    expect(result.rejected_edits).toBe(read("json", "events.jsonl").match(/"rejected":"/g)?.length ?? 0);
  });

  it("--dry-run prints configuration and budget and writes nothing", () => {
    const { stdout, status } = lse("evolve", ...OPTIONS, "--dry-run", "--json", "--out", path("dry"));
    expect(status).toBe(0);
    const { config, budget } = JSON.parse(stdout);
    expect(config.evolve).toMatchObject({ rounds: 4, method: "ucb", sampling: { maxTokens: 80, minP: 0 } });
    // 5 holdout problems for the seed and four children, four batches of 3, and a test of half of what is left.
    expect(budget).toMatchObject({ rounds: 4, edits: 4, answers: 5 * 5 + 4 * 3 + 3, testAnswers: 3 });
    expect(budget.promptTokens).toBeGreaterThan(37 * 300);
    expect(existsSync(path("dry"))).toBe(false);
  });
});

it("every option has its place in the configuration", () => {
  const evolve = [
    "--rounds",
    "2",
    "--batch",
    "4",
    "--holdout",
    "6",
    "--test",
    "1",
    "--samples",
    "3",
    "--method",
    "best",
    "--ucb-c",
    "0.5",
    "--schedule",
    "reference",
    "--k-fold",
    "2",
    "--spend-all",
    "--tries",
    "4",
    "--edit-tokens",
    "33",
    "--constrain-edits",
    "--seed",
    "9",
    "--edit-temperature",
    "0.4",
    "--reuse",
    path("whole"),
    "--temperature",
    "0.3",
    "--top-k",
    "5",
    "--top-p",
    "0.6",
    "--min-p",
    "0.1",
    "--presence-penalty",
    "1",
    "--max-tokens",
    "70",
    "--draws",
    "4",
    "--vote",
    "first",
    "--answer-tokens",
    "60",
    "--instructions",
    path("own.md"),
    "--stop-answers",
    "500",
    "--stop-tokens",
    "600",
    "--stop-minutes",
    "7",
    "--stop-score",
    "0.8",
    "--stop-stagnation",
    "2",
  ];
  const place = [
    "--data",
    path("data"),
    "--db",
    "bakery",
    "--test-db",
    "library",
    "--answers",
    "fenced",
    "--cut-repetition",
    "--sql-engine",
    "duckdb",
    "--timeout",
    "4",
    "--cache",
    path("cache"),
    "--model",
    path("model.gguf"),
    "--engine",
    "fast",
    "--context",
    "900",
    "--gpu-layers",
    "0",
    "--threads",
    "1",
    "--decode-batch",
    "64",
    "--sequences",
    "3",
    "--no-flash-attention",
    "--evolver-model",
    path("e.gguf"),
    "--evolver-adapter",
    path("a.gguf"),
  ];
  writeFileSync(path("own.md"), "Be right.\n");
  const { stdout, stderr } = lse("evolve", ...place, ...evolve, "--dry-run", "--json");
  expect(stderr).toBe("");
  expect(JSON.parse(stdout).config).toEqual({
    task: {
      name: "bird",
      data: path("data"),
      db: "bakery",
      testDb: "library",
      answers: "fenced",
      cutRepetition: true,
      sqlEngine: "duckdb",
      timeout: 4,
      cache: path("cache"),
    },
    model: {
      path: path("model.gguf"),
      engine: "fast",
      context: 900,
      gpuLayers: 0,
      threads: 1,
      decodeBatch: 64,
      sequences: 3,
      flashAttention: false,
    },
    evolver: { model: path("e.gguf"), adapter: path("a.gguf") },
    reuse: path("whole"),
    evolve: {
      rounds: 2,
      batch: 4,
      holdout: 6,
      test: 1,
      samples: 3,
      method: "best",
      ucbC: 0.5,
      schedule: "reference",
      kFold: 2,
      spendAll: true,
      tries: 4,
      edits: "rewrite",
      preferWrong: false,
      constrainEdits: true,
      seed: 9,
      editTemperature: 0.4,
      editMaxTokens: 33,
      stop: { answers: 500, tokens: 600, minutes: 7, score: 0.8, stagnation: 2 },
      sampling: {
        temperature: 0.3,
        topK: 5,
        topP: 0.6,
        minP: 0.1,
        presencePenalty: 1,
        maxTokens: 70,
        stop: [],
      },
      strategy: {
        examples: 0,
        samples: 4,
        mend: false,
        repair: 0,
        repairEmpty: false,
        vote: "first",
        reasoning: "full",
        maxTokens: 60,
      },
      instructions: "Be right.",
    },
  });
  // A task that is tested on another one has no examples for it, and the rest goes with them.
  const shown = ["--examples", "3", "--mend", "--repair", "2", "--repair-empty", "--reasoning", "brief"];
  const sizes = ["--holdout", "6", "--batch", "4", "--test", "1"];
  const other = lse(
    ...["evolve", "--data", path("data"), "--db", "bakery", "--model", path("model.gguf")],
    ...[
      ...sizes,
      ...shown,
      "--edits",
      "mixed",
      "--prefer-wrong",
      "--edit-context",
      "names",
      "--edit-reports",
    ],
    ...["3", "--rule-tokens", "100", "--example-tokens", "200", "--dry-run", "--json"],
  );
  expect(other.stderr).toBe("");
  const config = JSON.parse(other.stdout).config.evolve;
  expect(config).toMatchObject({ edits: "mixed", preferWrong: true, editContext: "names", editReports: 3 });
  expect(config).toMatchObject({ ruleTokens: 100, exampleTokens: 200 });
  expect(config.strategy).toEqual({
    ...{
      examples: 3,
      samples: 1,
      mend: true,
      repair: 2,
      repairEmpty: true,
      vote: "result",
      reasoning: "brief",
    },
  });
});

describe("lse tree", () => {
  it("shows every node, marks the best, and what each edit changed", () => {
    const { stdout } = lse("tree", path("whole"));
    const tree = JSON.parse(read("whole", "tree.json"));
    for (const { id } of tree.nodes) expect(stdout).toContain(`node ${id}  0.000 ± 0.000`);
    expect(stdout).toMatch(/node 0 .*← best/);
    expect(stdout).toContain("- Read the question and the hints");
    // Nothing that a model wrote may steer the terminal.
    expect(stdout).not.toMatch(/[^\P{Cc}\n\t]/u);
    expect(JSON.parse(lse("tree", path("whole"), "--json").stdout)).toEqual(tree);
  });

  it("is plain text in a pipe, in CI too, unless colour is asked for", () => {
    const coloured = (environment: NodeJS.ProcessEnv) =>
      lseWithEnvironment(environment, "tree", path("whole")).stdout.includes("\u001B[");
    expect(coloured({ CI: "true", FORCE_COLOR: undefined, NO_COLOR: undefined })).toBe(false);
    expect(coloured({ FORCE_COLOR: "1", NO_COLOR: undefined })).toBe(true);
    expect(coloured({ FORCE_COLOR: undefined, NO_COLOR: "1" })).toBe(false);
  });
});

describe("what a user gets wrong", () => {
  const change = (option: string, value: string) => {
    const options = [...OPTIONS];
    const at = options.indexOf(option);
    if (at >= 0) options[at + 1] = value;
    else options.push(option, value);
    return options;
  };

  beforeAll(() => {
    const model = readFileSync(path("model.gguf"));
    writeFileSync(path("half.gguf"), model.subarray(0, model.length / 2));
    writeFileSync(path("text.gguf"), "no model");
    buildTinyBird(path("no-database"));
    rmSync(join(path("no-database"), "dev_databases", "bakery"), { recursive: true });
    buildTinyBird(path("bad-json"));
    writeFileSync(join(path("bad-json"), "dev.json"), '[{"db_id": ');
    buildTinyBird(path("no-gold"));
    const rows = JSON.parse(readFileSync(join(path("no-gold"), "dev.json"), "utf8"));
    delete rows[3].SQL;
    writeFileSync(join(path("no-gold"), "dev.json"), JSON.stringify(rows));
    buildTinyBird(path("no-sqlite"));
    writeFileSync(join(path("no-sqlite"), "dev_databases", "bakery", "bakery.sqlite"), "text");
  });

  it.each([
    [
      "a missing model",
      () => change("--model", path("nowhere.gguf")),
      /nowhere\.gguf: no such model file.*Give --model/,
    ],
    [
      "a truncated GGUF",
      () => change("--model", path("half.gguf")),
      /half\.gguf: not a complete GGUF.*copy, download or make the file again/,
    ],
    ["a file that is no GGUF", () => change("--model", path("text.gguf")), /text\.gguf: not a complete GGUF/],
    [
      "a missing database",
      () => change("--data", path("no-database")),
      /bakery\.sqlite: no such database.*Put BIRD/,
    ],
    [
      "a database that is none",
      () => change("--data", path("no-sqlite")),
      /bakery\.sqlite.*Check that it is a SQLite/,
    ],
    [
      "malformed questions",
      () => change("--data", path("bad-json")),
      /dev\.json: not valid JSON.*Correct the file/,
    ],
    [
      "a question without gold",
      () => change("--data", path("no-gold")),
      /dev\.json: row 3: field SQL.*Correct that row/,
    ],
    [
      "an unknown database",
      () => change("--db", "bank"),
      /no question is about the database "bank".*bakery, library/,
    ],
    [
      "a holdout larger than the pool",
      () => change("--holdout", "13"),
      /12 problems.*Lower --holdout or --batch/,
    ],
    ["a context too small", () => change("--context", "300"), /bird\/bakery: .*tokens.*Raise --context/],
    [
      "a limit of cost for a model that costs nothing",
      () => [...OPTIONS, "--max-cost", "3"],
      /--max-cost limits nothing: models on this machine cost nothing\. Leave it out, or limit --stop-tokens/,
    ],
    ["no --out", () => OPTIONS, /--out is missing/],
    ["a folder in use", () => [...OPTIONS, "--out", path("data")], /not empty.*another folder/],
    [
      "--resume with options",
      () => ["--resume", path("whole"), "--seed", "2"],
      /takes no other option than --max-cost \(seed\)/,
    ],
    ["nothing to resume", () => ["--resume", path("data")], /no run here/],
    ["an unknown option", () => [...OPTIONS, "--round", "3"], /unknown option '--round'.*--rounds/s],
    ["a bad number", () => change("--rounds", "three"), /--rounds.*whole number of at least 1/s],
    ["a bad choice", () => change("--method", "newest"), /--method.*ucb, .*chain, .*textgrad, gepa/s],
    [
      "a grammar for other tags",
      () => [...OPTIONS, "--method", "textgrad", "--constrain-edits"],
      /TextGrad's/,
    ],
    [
      "rules as edits in the published order",
      () => [...OPTIONS, "--schedule", "reference", "--edits", "delta"],
      /published code's order of steps has rewrites alone/,
    ],
    [
      "a grammar for edits that no model writes",
      () => [...OPTIONS, "--edits", "example", "--constrain-edits"],
      /no model writes these edits/,
    ],
    [
      "a kind of edits for another method",
      () => [...OPTIONS, "--method", "gepa", "--edits", "delta"],
      /GEPA has a way of its own to write edits/,
    ],
    ["a bad task", () => change("--task", "chess"), /--task.*bird, mini/s],
  ])("%s: an error with the next step, no stack, exit code 1", (name, options, message) => {
    const args = options();
    const needsOut = !args.includes("--out") && !args.includes("--resume") && name !== "no --out";
    const { status, stdout, stderr } = lse(
      "evolve",
      ...args,
      ...(needsOut ? ["--out", path(`bad ${name}`)] : []),
    );
    expect(status).toBe(1);
    expect(stdout).toBe("");
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/^\s+at /m);
    const complaints = stderr
      .trim()
      .split("\n")
      .filter((line) => !line.startsWith("bird/"));
    if (needsOut) expect(existsSync(path(`bad ${name}`))).toBe(false);
    expect(complaints.length).toBeLessThanOrEqual(name.startsWith("an unknown option") ? 2 : 1);
  });
});

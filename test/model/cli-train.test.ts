import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { lse, lseWithEnvironment, MAIN, startLse } from "../cli.js";

const folder = mkdtempSync(join(tmpdir(), "lse-cli-train-"));
const path = (...names: string[]) => join(folder, ...names);
afterAll(() => rmSync(folder, { recursive: true }));

const model = (name: string) => fileURLToPath(new URL(`../../models/${name}`, import.meta.url));
const ENGINE = {
  context: 512,
  gpuLayers: 0,
  sequences: 8,
  decodeBatch: 256,
  kvCells: 1024,
  flashAttention: true,
};
const RUNS = {
  task: { name: "mini", timeout: 2 },
  model: { path: model("mini-q8_0.gguf"), ...ENGINE, threads: 1 },
  evolver: { model: model("mini.gguf") },
  evolve: {
    rounds: 2,
    batch: 2,
    holdout: 4,
    test: 0,
    tries: 2,
    seed: 1,
    editTemperature: 1,
    sampling: { temperature: 0, maxTokens: 60 },
  },
};
const TRAINING = {
  model: model("mini.gguf"),
  policy: model("mini-q8_0.gguf"),
  trees: path("trees"),
  validation: path("trees"),
  updates: 3,
  nodes: 2,
  rollouts: 2,
  validationNodes: 2,
  validateEvery: 2,
  rate: 0.001,
  lora: { rank: 4, alpha: 8 },
  threads: 1,
  engine: ENGINE,
};

function write(name: string, config: object): string {
  writeFileSync(path(name), JSON.stringify(config));
  return path(name);
}

const runs = write("runs.json", RUNS);
const training = write("training.json", TRAINING);

describe("lse collect", () => {
  it("makes the runs that are missing, several at once, and no run twice", () => {
    const first = lse("collect", "--config", runs, "--db", "train/0-1", "--out", path("trees"));
    expect(first.stderr).toContain("train-0-seed1: ");
    expect(first.status).toBe(0);
    const events = path("trees", "train-1-seed1", "events.jsonl");
    const before = readFileSync(events, "utf8");
    const options = ["--config", runs, "--db", "train/0", "--method", "gepa", "--out", path("gepa")];
    expect(lse("collect", ...options)).toMatchObject({ status: 0 });
    const made = readFileSync(path("gepa", "train-0-seed1", "config.json"), "utf8");
    expect(JSON.parse(made).evolve).toMatchObject({ method: "gepa" });
    const more = lse("collect", "--config", runs, "--db", "train/0-1", "--runs", "2", "--out", path("trees"));
    expect(more.stderr).not.toContain("train-1-seed1: ");
    expect(more.stderr).toContain("train-1-seed2: ");
    expect(readFileSync(events, "utf8")).toBe(before);
    // Each folder is a run like any other.
    expect(lse("tree", path("trees", "train-1-seed2")).stdout).toContain("node 0");
    expect(JSON.parse(readFileSync(path("trees", "train-1-seed2", "config.json"), "utf8"))).toMatchObject({
      task: { db: "train/1" },
      evolve: { seed: 2 },
    });
  });

  it("says what is wrong with a range", () => {
    const { status, stderr } = lse("collect", "--config", runs, "--db", "train/3-1", "--out", path("none"));
    expect(status).toBe(1);
    expect(stderr).toMatch(/"train\/3-1".*smaller number first/);
  });
});

describe("lse train", () => {
  const curveOf = (name: string) =>
    readFileSync(path(name, "curve.jsonl"), "utf8").replace(/,"seconds":\{[^}]*\}/g, "");

  it("writes adapters and a curve, killed or not, and the evolver takes the adapter", async () => {
    const { status, stdout, stderr } = lse("train", "--config", training, "--out", path("whole"), "--json");
    expect(stderr).toContain("update 3 of 3: reward ");
    expect(status).toBe(0);
    const best = JSON.parse(stdout);
    expect(best.evolver).toBe(path("whole", "best.gguf"));
    expect([0, 2, 3]).toContain(best.step);
    const points = curveOf("whole")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(points.map(({ kind, step }) => `${kind} ${step}`)).toEqual([
      "validation 0",
      "update 1",
      "update 2",
      "validation 2",
      "update 3",
      "validation 3",
    ]);
    for (const { kind, logprobGap } of points) if (kind === "update") expect(logprobGap).toBeLessThan(5e-3);

    const child = startLse("train", "--config", training, "--out", path("killed"));
    while (!existsSync(path("killed", "checkpoint.safetensors"))) await sleep(5);
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(lse("train", "--resume", path("killed")).status).toBe(0);
    expect(curveOf("killed")).toBe(curveOf("whole"));
    for (const file of ["adapter.gguf", "best.gguf"])
      expect(readFileSync(path("killed", file)).equals(readFileSync(path("whole", file)))).toBe(true);

    const config = write("with-adapter.json", {
      ...RUNS,
      evolver: { model: model("mini.gguf"), adapter: path("whole", "adapter.gguf") },
    });
    const run = lse("evolve", "--config", config, "--out", path("adapted"), "--json");
    expect(run.status).toBe(0);
    const inputs = (name: string) =>
      JSON.parse(readFileSync(join(name, "events.jsonl"), "utf8").split("\n")[0] ?? "");
    const plain = inputs(path("trees", "train-0-seed1"));
    expect(inputs(path("adapted"))).toMatchObject({ model: plain.model });
    expect(inputs(path("adapted")).evolver).not.toBe(plain.evolver);
    expect(lse("evolve", "--resume", path("adapted")).status).toBe(0);
  }, 120_000);

  it("draws the curve of a training", () => {
    const { stdout } = lse("train", "curve", path("whole"));
    // Validation before, after the second and after the last update.
    const chart = stdout.slice(0, stdout.indexOf("reward of an edit"));
    expect(chart.split("●").length - 1).toBe(3);
    expect(chart).toContain("·");
    expect(lse("train", "curve", path("none")).stderr).toMatch(/none\/curve\.jsonl: no such file/);
  });

  it("trains all parameters where no adapter is wanted, killed or not, layer by layer", async () => {
    const config = write("whole-model.json", {
      ...TRAINING,
      lora: null,
      recompute: true,
      rate: 0.0001,
      updates: 2,
      validateEvery: 2,
    });
    const { status, stdout } = lse("train", "--config", config, "--out", path("full"), "--json");
    expect(status).toBe(0);
    expect(JSON.parse(stdout).evolver).toBe(path("full", "best.gguf"));
    const trained = path("full", "model.gguf");
    expect(readFileSync(trained).length).toBe(readFileSync(model("mini.gguf")).length);
    expect(readFileSync(trained).equals(readFileSync(model("mini.gguf")))).toBe(false);
    const exported = path("full-exported.gguf");
    expect(lse("train", "export-gguf", path("full"), exported).status).toBe(0);
    expect(readFileSync(exported).equals(readFileSync(trained))).toBe(true);
    const child = startLse("train", "--config", config, "--out", path("full-killed"));
    while (!existsSync(path("full-killed", "checkpoint.safetensors"))) await sleep(5);
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(lse("train", "--resume", path("full-killed")).status).toBe(0);
    expect(curveOf("full-killed")).toBe(curveOf("full"));
    for (const line of curveOf("full").trim().split("\n")) {
      const { kind, logprobGap } = JSON.parse(line);
      if (kind === "update") expect(logprobGap).toBeLessThan(5e-3);
    }
  }, 120_000);

  it("adapters go to PEFT and back, and training goes on from one", () => {
    const adapter = path("whole", "adapter.gguf");
    const from = path("from-checkpoint.gguf");
    expect(lse("train", "export-gguf", path("whole"), from).status).toBe(0);
    expect(readFileSync(from).equals(readFileSync(adapter))).toBe(true);

    const peft = path("peft");
    expect(lse("train", "export-peft", adapter, peft, "--base", "mini").status).toBe(0);
    const config = JSON.parse(readFileSync(path("peft", "adapter_config.json"), "utf8"));
    expect(config).toMatchObject({ peft_type: "LORA", r: 4, lora_alpha: 8, base_model_name_or_path: "mini" });
    const modules = ["down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"];
    expect(config.target_modules).toEqual(modules);
    const back = path("back.gguf");
    expect(lse("train", "import-peft", peft, back, "--model", model("mini.gguf")).status).toBe(0);
    expect(readFileSync(back).equals(readFileSync(adapter))).toBe(true);
    const other = lse("train", "import-peft", peft, back, "--model", model("mini-b.gguf"));
    expect(other.stderr).toMatch(/lora_a has \d+ numbers/);
    writeFileSync(path("peft", "adapter_config.json"), JSON.stringify({ ...config, use_dora: true }));
    const dora = lse("train", "import-peft", peft, back, "--model", model("mini.gguf"));
    expect(dora.stderr).toMatch(/adapter_config\.json: field use_dora.*plain LoRA/);

    const again = write("again.json", { ...TRAINING, start: adapter, updates: 1 });
    expect(lse("train", "--config", again, "--out", path("again")).status).toBe(0);
    const first = (name: string) => JSON.parse(curveOf(name).split("\n")[0] ?? "");
    const last = JSON.parse(curveOf("whole").trim().split("\n").at(-1) ?? "");
    // The same nodes are edited by the same evolver.
    expect(first("again").reward).toBe(last.reward);
    const wrong = write("wrong.json", { ...TRAINING, start: adapter, lora: { rank: 8, alpha: 8 } });
    expect(lse("train", "--config", wrong, "--out", path("n")).stderr).toMatch(/rank is 4 and its alpha 8/);
  }, 60_000);

  it.each([
    ["no folder", () => ["--config", training], /--out/],
    ["a folder that exists", () => ["--config", training, "--out", path("whole")], /exists already/],
    ["--resume with other options", () => ["--resume", path("whole"), "--trees", "x"], /--resume alone/],
    ["no trees", () => ["--config", training, "--trees", path("nothing"), "--out", path("n")], /lse collect/],
    [
      "a field that is wrong",
      () => ["--config", write("bad.json", { ...TRAINING, rate: 0 }), "--out", path("n")],
      /bad\.json: field rate/,
    ],
    [
      "another policy than the trees'",
      () => ["--config", write("other.json", { ...TRAINING, policy: undefined }), "--out", path("n")],
      /train-\d-seed\d: its nodes were scored with another model/,
    ],
    [
      "a run that is not over",
      () => {
        lse("collect", "--config", runs, "--db", "train/2", "--out", path("cut"));
        const events = path("cut", "train-2-seed1", "events.jsonl");
        const lines = readFileSync(events, "utf8").split("\n");
        writeFileSync(events, lines.slice(0, -2).join("\n"));
        return ["--config", training, "--trees", path("cut"), "--out", path("n")];
      },
      /train-2-seed1: this run is not over/,
    ],
    [
      "a model that cannot be trained",
      () => {
        copyFileSync(training, path("not-a-model.gguf"));
        const config = { ...TRAINING, model: path("not-a-model.gguf") };
        return ["--config", write("model.json", config), "--out", path("n")];
      },
      /not-a-model\.gguf/,
    ],
  ])("%s: says what to do", (_, options, message) => {
    const { status, stderr } = lse("train", ...options());
    expect(stderr).toMatch(message);
    expect(stderr).not.toContain("    at ");
    expect(status).toBe(1);
    expect(existsSync(path("n"))).toBe(false);
  });
});

describe("lse train --dry-run", () => {
  const plan = (config: object, ...options: string[]) =>
    JSON.parse(
      lse(
        "train",
        "--dry-run",
        "--json",
        "--gflops",
        "100",
        "--config",
        write("plan.json", config),
        ...options,
      ).stdout,
    );

  it("counts edits and answers, and what memory and time they take", () => {
    const { model: sizes, edits, answers, memory, gradient } = plan(TRAINING);
    // 3 updates × 2 nodes × 2 edits, each scored on 4 problems.
    expect([edits, answers]).toEqual([12, 48]);
    expect(sizes).toMatchObject({ from: "file" });
    expect(sizes.parameters).toBeCloseTo(2.8e6, -5);
    expect(memory.total).toBeCloseTo(memory.weights + memory.optimizer + memory.activations + memory.engine);
    expect(gradient.hours).toBeCloseTo((3 * gradient.petaflop * 1e6) / 80 / 3600, 6);
    expect(plan({ ...TRAINING, lora: null }).memory.optimizer).toBeGreaterThan(5 * memory.optimizer);
    expect(plan({ ...TRAINING, kl: 0.1 }).memory.weights).toBeCloseTo(2 * memory.weights);
    const layered = plan({ ...TRAINING, recompute: true });
    expect(layered.memory.activations).toBeLessThan(memory.activations / 3);
    expect(layered.gradient.petaflop).toBeGreaterThan(1.2 * gradient.petaflop);
  });

  it("plans the paper's evolver before its file is here", () => {
    const config = fileURLToPath(new URL("../../configs/qwen3-4b-lse.json", import.meta.url));
    const { status, stdout } = lse("train", "--dry-run", "--config", config, "--gflops", "40000");
    expect(status).toBe(0);
    expect(stdout).toMatch(/4022 million parameters, 33 million of an adapter.*published sizes/);
    expect(stdout).toMatch(/weights 15\.1 GiB/);
    expect(stdout).toMatch(/no finished runs in .*runs\/bird\/trees yet/);
    const unknown = lse(
      "train",
      "--dry-run",
      "--config",
      write("plan.json", { ...TRAINING, model: "x.gguf" }),
    );
    expect(unknown.status).toBe(1);
    expect(unknown.stderr).toMatch(/x\.gguf: no such file, and no model.*Qwen3-4B-Instruct-2507/s);
  });
});

describe("for a trainer elsewhere", () => {
  it("export-verl writes the nodes, reward-server knows them", async () => {
    const { status, stdout } = lse("train", "export-verl", "--config", training, "--out", path("verl"));
    expect(status).toBe(0);
    expect(stdout).toMatch(/verl: \d+ nodes to train on, 2 to validate on/);
    expect(existsSync(path("verl", "train.parquet"))).toBe(true);

    const options = ["--config", training, "--out", path("rewards.jsonl")];
    const open = lseWithEnvironment(
      { LSE_REWARD_TOKEN: "" },
      "reward-server",
      ...options,
      "--host",
      "0.0.0.0",
    );
    expect(open.status).toBe(1);
    expect(open.stderr).toMatch(/0\.0\.0\.0 can be reached from other machines.*LSE_REWARD_TOKEN/s);

    const child = spawn(process.execPath, [MAIN, "reward-server", ...options, "--port", "0"]);
    const exited = once(child, "exit");
    const [line] = await once(createInterface({ input: child.stdout }), "line");
    const [, url, count] = /^(http:\/\/127\.0\.0\.1:\d+): rewards for (\d+) nodes$/.exec(line) ?? [];
    const health = (await (await fetch(`${url}/health`)).json()) as { states: number };
    expect(health.states).toBeLessThanOrEqual(Number(count));
    const body = JSON.stringify({
      state: "train-0-seed1/0",
      completion: "<prompt>always answer none please</prompt>",
    });
    const headers = { "content-type": "application/json" };
    const response = await fetch(`${url}/reward`, { method: "POST", headers, body });
    const reward = (await response.json()) as Record<"reward" | "score" | "performance", number>;
    expect(reward).toMatchObject({ invalid: false });
    expect(reward.reward).toBeCloseTo(reward.score - reward.performance);
    const port = /\d+$/.exec(url ?? "")?.[0] ?? "";
    const same = lse("reward-server", ...options, "--port", "0");
    expect(same.stderr).toMatch(/rewards\.jsonl: `lse reward-server` works here \(process \d+/);
    const second = lse("reward-server", "--config", training, "--out", path("other.jsonl"), "--port", port);
    expect(second.stderr).toMatch(/cannot listen on 127\.0\.0\.1:\d+ \(EADDRINUSE\)/);
    child.kill("SIGINT");
    expect(await exited).toEqual([130, null]);
    expect(readFileSync(path("rewards.jsonl"), "utf8")).toContain('"type":"reward"');
  }, 120_000);
});

import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, describe, expect, it } from "vitest";
import { readSizes } from "#lse/gguf/read-model.js";
import { miniDeltaTokenizer, miniTokenizer } from "#lse/mini/tokenizer.js";
import { lse, startLse } from "../cli.js";

const folder = mkdtempSync(join(tmpdir(), "lse-cli-pretrain-"));
const path = (...names: string[]) => join(folder, ...names);
afterAll(() => rmSync(folder, { recursive: true }));

const CONFIG = {
  model: {
    family: "qwen2",
    layers: 2,
    embedding: 32,
    heads: 2,
    kvHeads: 2,
    headDim: 16,
    feedForward: 32,
    contextLength: 512,
  },
  seed: 1,
  lookupHeads: true,
  groups: 2,
  stages: [
    { name: "first", steps: 4, evolve: 0.5, sloppy: false },
    { name: "second", steps: 4, evolve: 1, sloppy: true },
  ],
  optimizer: { matrixRate: 0.01, rate: 0.002, warmup: 2, floor: 0.1, clipNorm: 1 },
  checkpointEvery: 2,
  evaluateEvery: 5,
  development: { databases: 1, problems: 2 },
};

function write(name: string, config: object): string {
  writeFileSync(path(name), JSON.stringify(config));
  return path(name);
}

describe("lse pretrain", () => {
  const config = write("config.json", CONFIG);

  it("ends with the same model after a kill as without one", async () => {
    const { status, stdout } = lse("pretrain", "--config", config, "--out", path("whole"), "--json");
    expect(status).toBe(0);
    const result = JSON.parse(stdout);
    expect(result).toMatchObject({ model: path("whole", "model.gguf"), steps: 8 });
    expect(Object.keys(result.figures).sort()).toEqual(["complete", "half", "none"]);

    const child = startLse("pretrain", "--config", config, "--out", path("killed"));
    while (!existsSync(path("killed", "checkpoint.safetensors"))) await sleep(5);
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(lse("pretrain", "--resume", path("killed")).status).toBe(0);
    for (const file of ["model.gguf", "checkpoint.safetensors"]) {
      expect(readFileSync(path("killed", file)).equals(readFileSync(path("whole", file)))).toBe(true);
    }
    // Resuming what is done trains nothing and tells the same.
    const curve = readFileSync(path("whole", "curve.jsonl"), "utf8");
    const again = lse("pretrain", "--resume", path("whole"), "--json");
    expect(JSON.parse(again.stdout)).toEqual(result);
    expect(readFileSync(path("whole", "curve.jsonl"), "utf8")).toBe(curve);
  });

  it("makes a model that knows the words of deltas where a stage shows them", async () => {
    const stages = [{ name: "deltas", steps: 2, evolve: 1, delta: 1, sloppy: true }];
    const deltas = write("deltas.json", { ...CONFIG, stages });
    expect(lse("pretrain", "--config", deltas, "--out", path("deltas"))).toMatchObject({ status: 0 });
    const vocabulary = async (name: string) => (await readSizes(path(name, "model.gguf"))).vocabulary;
    expect(await vocabulary("deltas")).toBe(miniDeltaTokenizer.vocabulary);
    expect(await vocabulary("whole")).toBe(miniTokenizer.vocabulary);
  });

  it.each([
    ["no folder", () => ["--config", config], /--out/],
    ["a folder that exists", () => ["--config", config, "--out", path("whole")], /exists already/],
    ["--resume with other options", () => ["--resume", path("whole"), "--threads", "2"], /--resume alone/],
    ["no such configuration", () => ["--config", path("none.json"), "--out", path("n")], /none\.json/],
    [
      "a field that is wrong",
      () => ["--config", write("bad.json", { ...CONFIG, groups: 0 }), "--out", path("n")],
      /bad\.json: field groups/,
    ],
    [
      "a model that look-up heads do not fit",
      () => {
        const model = { ...CONFIG.model, family: "qwen3" };
        return ["--config", write("qwen3.json", { ...CONFIG, model }), "--out", path("q")];
      },
      /look-up heads/,
    ],
  ] as const)("%s: says what to do", (_, options, message) => {
    const { status, stderr } = lse("pretrain", ...options());
    expect(status).toBe(1);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(existsSync(path("n")) || existsSync(path("q"))).toBe(false);
  });
});

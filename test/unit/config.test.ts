import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { FIELD_DESCRIPTIONS, fieldsOf, withFlags } from "#lse/cli/evolve-options.js";
import { editTokensOf } from "#lse/evolve/config.js";
import { RunFolder } from "#lse/journal/run-folder.js";
import { readJson } from "#lse/lib/json-file.js";
import { baseConfig } from "#lse/runs/base-config.js";
import { overrideConfig, type RunConfig, resolveConfig } from "#lse/runs/config.js";
import { configSchema } from "#lse/runs/config-schema.js";
import { evalConfig } from "#lse/runs/eval.js";
import { planOf } from "#lse/runs/run-budget.js";
import { checkTrainConfig } from "#lse/runs/training/config.js";
import { CheckedTask } from "#lse/task-file/checked-task.js";
import { NumberTask } from "../fakes.js";

describe("a configuration", () => {
  it("has the published JSON schema: `npm run config-schema` writes it", () => {
    const published = readFileSync(new URL("../../docs/config.schema.json", import.meta.url), "utf8");
    expect(JSON.parse(published)).toEqual(configSchema(FIELD_DESCRIPTIONS));
  });

  it("every option's field is in the schema", () => {
    const text = JSON.stringify(configSchema(FIELD_DESCRIPTIONS));
    for (const [, description] of FIELD_DESCRIPTIONS.filter(([field]) => field !== "task.db"))
      expect(text).toContain(JSON.stringify(description).slice(1, -1));
  });

  it("does not choose what an evolver is shown where none is asked", () => {
    const given = (evolve: Record<string, unknown>) => ({
      task: { name: "mini" },
      model: { path: "a.gguf" },
      evolve,
    });
    for (const field of [{ editContext: "none" }, { editReports: 3 }])
      for (const edits of [{ edits: "example" }, { method: "bootstrap" }])
        expect(() => resolveConfig(given({ ...edits, ...field }), "x.json")).toThrow(
          /field evolve\.edit(Context|Reports): no model writes these edits/,
        );
    expect(resolveConfig(given({ edits: "mixed", editReports: 3 }), "x.json").evolve.editReports).toBe(3);
  });

  it("from a run has its batches, from an evaluation of that run too: they decide which problems are the test", () => {
    const folder = mkdtempSync(join(tmpdir(), "lse-from-"));
    const kept = (name: string, config: RunConfig) => {
      const run = RunFolder.create(join(folder, name), config);
      run.writeBest("the best ones");
      return baseConfig({ from: run.path }).fields;
    };
    const given = (evolve: Readonly<Record<string, unknown>>) => ({
      task: { name: "mini" },
      model: { path: "a.gguf" },
      evolve,
    });
    const ofRun = kept("run", resolveConfig(given({ batch: 5, rounds: 3 }), "x.json"));
    expect(ofRun.evolve).toMatchObject({ batch: 5, rounds: 3, instructions: "the best ones" });
    const ofScores = kept("scores", evalConfig(ofRun, "x.json"));
    expect(ofScores.evolve).toMatchObject({ batch: 5 });
    expect(ofScores.evolve).not.toHaveProperty("rounds");
    expect(kept("alone", evalConfig(given({}), "x.json")).evolve).not.toHaveProperty("batch");
    rmSync(folder, { recursive: true });
  });

  it("may name its schema, and does not keep the name", () => {
    const task = { name: "mini" };
    const config = resolveConfig({ $schema: "x.json", task, model: { path: "a.gguf" } }, "x.json");
    expect(Object.keys(config).sort()).toEqual(["evolve", "evolver", "model", "task"]);
  });

  it("is overridden field by field, and what is left out stays", () => {
    const base = { evolve: { rounds: 3, sampling: { topK: 5, topP: 0.5 } }, model: { path: "a" } };
    const over = { evolve: { sampling: { topK: 7, topP: undefined } }, reuse: "runs" };
    expect(overrideConfig(base, over)).toEqual({
      evolve: { rounds: 3, sampling: { topK: 7, topP: 0.5 } },
      model: { path: "a" },
      reuse: "runs",
    });
  });
});

describe("the shipped configurations for a real model of 0.5B", () => {
  const read = (name: string) =>
    readJson(fileURLToPath(new URL(`../../configs/${name}`, import.meta.url))) as object;

  it("train the evolver on the runs that they collect: the same model, a context with room for all edits of a node", () => {
    const { model, evolve } = resolveConfig(read("real-trees.json"), "real-trees.json");
    const training = checkTrainConfig(read("real-lse.json"), "real-lse.json");
    expect([training.model, training.policy]).toEqual([model.path, undefined]);
    expect(training.engine.context).toBe(model.context);
    expect([evolve.edits, evolve.constrainEdits, training.recompute]).toEqual(["delta", true, true]);
    expect(training.rollouts * editTokensOf(evolve)).toBeLessThan(0.3 * (training.engine.context ?? 0));
    expect(training.lora).not.toBeNull();
  });
});

describe("an evaluation", () => {
  const fields = { task: { name: "own", data: "problems.json" }, model: { path: "a.gguf" } };

  it("of a run has the run's test, none of its stops but the limit of cost, and no evolver", () => {
    const evolve = { batch: 7, holdout: 8, stop: { answers: 3, cost: 2 } };
    const config = evalConfig({ ...fields, evolver: { model: "b.gguf" }, evolve }, "x.json");
    expect(config.evolve).toMatchObject({ rounds: 0, batch: 7, holdout: 8 });
    expect(config.evolve.stop).toEqual({ cost: 2 });
    expect(config.evolver).toEqual({});
    expect(evalConfig(fields, "x.json").evolve.batch).toBe(1);
  });

  it("of a workspace's manual asks the test once: there is no new manual to compare", () => {
    const task = new NumberTask(30);
    const evolve = { holdout: 10, test: 5 };
    const { budget } = planOf(task, null, evalConfig({ ...fields, evolve }, "x.json"));
    expect([budget.answers, budget.comparisonAnswers]).toEqual([15, 0]);
    const run = planOf(task, null, resolveConfig({ ...fields, evolve: { ...evolve, batch: 3 } }, "x.json"));
    expect(run.budget.comparisonAnswers).toBe(5);
  });
});

describe("what a user's task says of an answer", () => {
  it("is kept as data, whatever it is made of", async () => {
    class Said {
      readonly rows = [1n];
      get answer() {
        return "a";
      }
      get result() {
        return "b";
      }
      readonly failure = null;
      readonly isEmpty = false;
    }
    const given = Object.assign(new NumberTask(3), { read: async () => new Said() });
    const task = new CheckedTask(given, { id: "t", fingerprint: "f", origin: "t.js", gradeMs: 1000 });
    const reading = await task.read?.("p1", "x");
    expect(JSON.parse(JSON.stringify(reading))).toEqual({
      ...{ answer: "a", result: "b", failure: null, isEmpty: false },
    });
  });
});

describe("a chat template in a configuration", () => {
  const task = { name: "mini" };
  const template = { name: "rag", arguments: { enable_thinking: false } };

  it("belongs to a model on this machine, and to an evolver of its own", () => {
    const config = { task, model: { path: "a.gguf", template }, evolver: { model: "b.gguf", template } };
    const { model, evolver } = resolveConfig(config, "x.json");
    expect([model.template, evolver.template]).toEqual([template, template]);
    expect(fieldsOf({ template: "rag" })).toEqual({ model: { template: { name: "rag" } } });
  });

  it.each([
    ["model.template", { model: { path: "openai:x", template } }],
    ["evolver.template", { model: { path: "a.gguf" }, evolver: { template } }],
    ["evolver.template", { model: { path: "a.gguf" }, evolver: { model: "openai:x", template } }],
  ])("%s is refused where there is no such model", (field, parts) => {
    expect(() => resolveConfig({ task, ...parts }, "x.json")).toThrow(`x.json: field ${field}: `);
  });
});

describe("the command line's options", () => {
  it("are fields of the configuration", () => {
    const options = {
      data: "bird",
      rounds: 3,
      topK: 5,
      maxCost: 2,
      baseUrl: "http://x",
      flashAttention: false,
    };
    expect(fieldsOf(options)).toEqual({
      task: { data: "bird" },
      model: { remote: { baseUrl: "http://x" }, flashAttention: false },
      evolve: { rounds: 3, sampling: { topK: 5 }, stop: { cost: 2 } },
    });
    expect(fieldsOf({ task: "./tickets.js", db: "a" })).toEqual({
      task: { name: "module", path: "./tickets.js", db: "a" },
    });
  });

  it("stand in errors in the place of fields, and other words in backticks stay", () => {
    expect(withFlags("Lower `evolve.holdout` or `evolve.stop.answers`, then `lse collect`")).toBe(
      "Lower --holdout or --stop-answers, then `lse collect`",
    );
    expect(withFlags("the command line: field evolve.rounds: too small. Correct that field.")).toBe(
      "--rounds: too small. Correct that field.",
    );
    expect(withFlags("x.json: field evolve.rounds: too small.")).toBe(
      "x.json: field evolve.rounds: too small.",
    );
  });
});

import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { savedRuns } from "#lse/runs/saved-runs.js";
import { TaskPool } from "#lse/runs/tasks.js";
import { editStates } from "#lse/train/rl/edit-states.js";
import { buildTinyBird } from "../tiny-bird/build.js";

const folder = mkdtempSync(join(tmpdir(), "lse-reference-"));
const bird = join(folder, "bird");
const tasks = new TaskPool();
beforeAll(() => buildTinyBird(bird));
afterAll(async () => {
  await tasks[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const CONFIG = `
n_sims: 2
seed: 7
test_n_eval: 4
tree: {enabled: true, selection: ucb, ucb_c: 2.0, metric: dev}
model:
  evolve_model: Qwen/Qwen3-4B-Instruct-2507
  sample_agent: true
  sampling: {temperature: 0.7, top_p: 0.8, top_k: -1, min_p: 0.0, presence_penalty: 0.5, max_tokens: 2048}
task: {name: bird, dev_size: 2}
`;
/** As tree.py writes it: the last child has never been evaluated. */
const node = (id: number, parent: number | null, performance: number | null) => ({
  id,
  parent_id: parent,
  children_ids: [],
  depth: parent === null ? 0 : 1,
  visits: 1,
  performance,
  round_idx: id,
  instructions: `text ${id}`,
  conversation: null,
  summary: [],
  history: null,
  self_evolve_prompt: performance === null ? null : [{ role: "user", content: `Rewrite text ${id}` }],
});
const TREE = {
  format_version: 1,
  selection: "ucb",
  ucb_c: 2,
  next_id: 3,
  total_selections: 2,
  root_id: 0,
  nodes: [node(0, null, 0.25), node(1, 0, 0.625), node(2, 0, null)],
};

function referenceRun(name: string, changes: { info?: object; config?: string } = {}): string {
  const path = join(folder, name, "bird-run");
  mkdirSync(join(path, "tree"), { recursive: true });
  mkdirSync(join(path, "env"), { recursive: true });
  writeFileSync(join(path, "tree", "tree.json"), JSON.stringify(TREE));
  const info = { db_id: "bakery", holdout_qids: [1, 3], ...changes.info };
  writeFileSync(join(path, "env", "info.json"), JSON.stringify(info));
  writeFileSync(join(path, "env", "config.yaml"), changes.config ?? CONFIG);
  return join(folder, name);
}

describe("a run of the published code", () => {
  it("becomes nodes to learn from, scored on its own holdout as it was", async () => {
    const [run] = await savedRuns(referenceRun("good"), tasks, bird);
    expect(run?.task.id).toBe("bird/bakery");
    expect(run?.holdout).toEqual(["1", "3"]);
    expect(run?.config).toMatchObject({
      samples: 4,
      seed: 7,
      sampling: { temperature: 0.7, topP: 0.8, topK: 0, presencePenalty: 0.5, maxTokens: 2048 },
    });
    const states = editStates(run === undefined ? [] : [run], "potential", 1);
    expect(states.map(({ node, score, potential }) => [node, score, potential])).toEqual([
      [0, 0.25, 0.375],
      [1, 0.625, 0],
    ]);
    expect(states[0]?.messages).toEqual([{ role: "user", content: "Rewrite text 0" }]);
  });

  it("that answered greedily is scored greedily", async () => {
    const config = CONFIG.replace("test_n_eval: 4", "test_n_eval: 1").replace(
      "sample_agent: true",
      "sample_agent: false",
    );
    const [run] = await savedRuns(referenceRun("greedy", { config }), tasks, bird);
    expect(run?.config.sampling).toMatchObject({ temperature: 0, topK: 1, topP: 1, presencePenalty: 0.5 });
  });

  it.each([
    [
      "metric",
      { config: CONFIG.replace("metric: dev", "metric: train") },
      /config\.yaml: field tree\.metric: .*tree\.metric=dev/,
    ],
    ["holdout", { info: { holdout_qids: [] } }, /info\.json: field holdout_qids: .*task\.dev_size/],
    ["question", { info: { holdout_qids: [99] } }, /info\.json: .* has no question 99/],
    ["database", { info: { db_id: undefined } }, /only runs on BIRD/],
    ["yaml", { config: "a: [" }, /config\.yaml cannot be read/],
  ])("is refused for its %s, by name", async (name, changes, message) => {
    await expect(savedRuns(referenceRun(`bad-${name}`, changes), tasks, bird)).rejects.toThrow(message);
  });

  it("needs to be told where its database lies", async () => {
    const path = referenceRun("nowhere");
    await expect(savedRuns(path, tasks)).rejects.toThrow(/Give the field data/);
    // Beside a folder that is no run at all.
    cpSync(bird, join(path, "other"), { recursive: true });
    expect(await savedRuns(path, tasks, bird)).toHaveLength(1);
  });
});

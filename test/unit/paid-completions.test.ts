import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type EvolveConfig, evolveConfigSchema } from "#lse/evolve/config.js";
import { evolve } from "#lse/evolve/evolve.js";
import { MemoryJournal } from "#lse/journal/journal.js";
import { JournalFile } from "#lse/journal/journal-file.js";
import { PaidCompletions } from "#lse/journal/paid-completions.js";
import { CachedModel } from "#lse/runtime/cached-model.js";
import { answersByInstructions, isEdit, NumberTask, ScriptedModel } from "../fakes.js";

const folder = mkdtempSync(join(tmpdir(), "lse-paid-"));
afterAll(() => rmSync(folder, { recursive: true }));

const config = (over: Partial<EvolveConfig> = {}) =>
  evolveConfigSchema.parse({
    rounds: 3,
    batch: 3,
    holdout: 10,
    seed: 7,
    sampling: { maxTokens: 50 },
    ...over,
  });
const learner = () =>
  new ScriptedModel((request) =>
    isEdit(request)
      ? `<prompt>known: 100 ${request.seed % 30} 1 2 3</prompt>`
      : answersByInstructions(request),
  );

beforeAll(async () => {
  mkdirSync(join(folder, "first"));
  using log = new JournalFile(join(folder, "first", "events.jsonl"));
  await evolve(new NumberTask(30), learner(), config(), log);
});

/** A run that may use the first one's completions. */
async function again(over: Partial<EvolveConfig>) {
  const paid = PaidCompletions.open(folder);
  const model = learner();
  const { tree } = await evolve(
    new NumberTask(30),
    new CachedModel(model, paid),
    config(over),
    new MemoryJournal(),
  );
  return { tree, found: paid.found, generated: model.requests.length };
}

it("the same run again generates nothing", async () => {
  // 4 × 10 on the holdout, 3 × 3 in batches, 10 in the test, 3 edits.
  expect(await again({})).toMatchObject({ generated: 0, found: 62 });
});

it("another method uses what is the same, and only that", async () => {
  const alone = learner();
  const { tree } = await evolve(new NumberTask(30), alone, config({ method: "chain" }), new MemoryJournal());
  const chain = await again({ method: "chain" });
  expect(chain.tree.nodes).toEqual(tree.nodes);
  // At least the seed's holdout and the first round.
  expect(chain.found).toBeGreaterThanOrEqual(10 + 3 + 1 + 10);
  expect(chain.found + chain.generated).toBe(alone.requests.length);
  expect(await again({ seed: 8 })).toMatchObject({ found: 0 });
});

it("a folder without runs is refused", () => {
  expect(() => PaidCompletions.open(join(folder, "none"))).toThrow(/none: no runs here.*`reuse`/s);
});

import { expect, it } from "vitest";
import { evolveConfigSchema } from "#lse/evolve/config.js";
import { evolve } from "#lse/evolve/evolve.js";
import { TransferTask } from "#lse/evolve/transfer-task.js";
import { MemoryJournal } from "#lse/journal/journal.js";
import { answersByInstructions, isEdit, NumberTask, ScriptedModel } from "../fakes.js";

/** Says where its prompts come from. */
class Elsewhere extends NumberTask {
  override readonly fingerprint: string = "elsewhere";

  override systemPrompt(instructions: string) {
    return `ELSEWHERE ${instructions}`;
  }
}

const config = evolveConfigSchema.parse({
  rounds: 2,
  batch: 3,
  holdout: 10,
  test: 6,
  seed: 7,
  sampling: { maxTokens: 50 },
});

it("evolves on one task and is tested on problems of the other", async () => {
  const [source, target] = [new NumberTask(20), new Elsewhere(30)];
  const model = new ScriptedModel((request) =>
    isEdit(request) ? "<prompt>known: 0 1 2 3 4 5 6 7 8 9</prompt>" : answersByInstructions(request),
  );
  const journal = new MemoryJournal();
  const { test, split } = await evolve(new TransferTask(source, target), model, config, journal);
  const asked = model.requests.filter(({ messages }) => messages[0]?.content.startsWith("ELSEWHERE"));
  expect(asked).toHaveLength(6);
  expect(target.graded).toBe(6);
  expect(split.pool).toHaveLength(10);
  const answered = asked.map(({ messages }) => messages[1]?.content ?? "");
  expect(answered.map((id) => `transfer/${id}`).sort()).toEqual([...split.test].sort());
  expect(test?.mean).toBeCloseTo(answered.filter((id) => Number(id.slice(1)) < 10).length / 6, 12);
});

it("is another task when either of the two is another", () => {
  const [a, b] = [new NumberTask(20), new Elsewhere(30)];
  const prints = [new TransferTask(a, b), new TransferTask(b, a), new TransferTask(a, a)];
  expect(new Set(prints.map(({ fingerprint }) => fingerprint)).size).toBe(3);
});

it("a prompt of the other task that does not fit is refused before anything is generated", async () => {
  const long = new NumberTask(30);
  long.systemPrompt = () => "x".repeat(9000);
  const model = new ScriptedModel(() => "", 4000);
  const run = evolve(new TransferTask(new NumberTask(20), long), model, config, new MemoryJournal());
  await expect(run).rejects.toThrow(/a problem's prompt takes 9\d+ tokens/);
  expect(model.requests).toEqual([]);
});

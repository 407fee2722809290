import { describe, expect, it } from "vitest";
import { answer, answerSeeds, eachSample, gradesIn } from "#lse/answer/answer.js";
import { ExampleIndex } from "#lse/answer/examples.js";
import { reliability, rowFor } from "#lse/answer/reliability.js";
import {
  answerSampling,
  describeStrategy,
  PAPER_STRATEGY,
  type Strategy,
  strategySchema,
} from "#lse/answer/strategy.js";
import { underStrategy } from "#lse/answer/under-strategy.js";
import { choose } from "#lse/answer/vote.js";
import { evolveConfigSchema } from "#lse/evolve/config.js";
import { evolve } from "#lse/evolve/evolve.js";
import { splitProblems } from "#lse/evolve/split.js";
import { MemoryJournal } from "#lse/journal/journal.js";
import { type GenerateRequest, PAPER_SAMPLING } from "#lse/model.js";
import { CachedModel } from "#lse/runtime/cached-model.js";
import type { PromptParts, Reading } from "#lse/task.js";
import { NumberTask, ScriptedModel } from "../fakes.js";

const strategy = (over: Partial<Strategy>) => strategySchema.parse(over);

/**
 * Questions "what is pI plus J", whose answers are numbers; "x" cannot be used, "x: 7" means "7", and "0" is an empty
 * result.
 */
class SumTask extends NumberTask {
  readings = 0;
  readonly parts: PromptParts = {
    seedInstructions: (reasoning) => `think ${reasoning}`,
    question: (id) => this.questionOf(id),
    request: (reasoning) => `answer after ${reasoning} thought`,
    solution: (id) => `sum of ${id}`,
    twinKeys: (id) => [`twin ${Number(id.slice(1)) % 10}`],
    repair: (failure) => (failure === null ? "nothing came out" : `it failed: ${failure}`),
  };

  questionOf(id: string): string {
    return `what is ${id} plus ${Number(id.slice(1)) % 3}`;
  }

  async read(_: string, response: string): Promise<Reading> {
    this.readings++;
    const mended = /^x: (.+)/.exec(response)?.[1];
    if (response.startsWith("x"))
      return { answer: response, result: null, failure: "bad x", isEmpty: false, mended };
    return { answer: response, result: response.trim(), failure: null, isEmpty: response === "0" };
  }
}

/** Answers `problems` of a task with the words that the model says. */
async function answered(
  words: (request: GenerateRequest) => string,
  given: Partial<Strategy>,
  { task = new SumTask(20), problems = ["p1"], contextSize = 100_000 } = {},
) {
  const model = new ScriptedModel(words, contextSize);
  const own = strategy(given);
  const asked = underStrategy(task, { strategy: own }, task.problemIds);
  const answers = await answer(asked, model, {
    instructions: "i",
    asked: eachSample(problems, 1),
    strategy: own,
    sampling: PAPER_SAMPLING,
    seedOf: answerSeeds(1, "holdout"),
  });
  return { answers, requests: model.requests, task };
}

const lastWords = ({ messages }: GenerateRequest) => messages.at(-1)?.content ?? "";

describe("the paper's strategy", () => {
  it("asks the task's own prompt once, and looks at no answer by itself", async () => {
    const { requests, answers, task } = await answered(() => "x", {});
    expect(requests).toEqual([
      {
        messages: new NumberTask(20).prompt("p1", "i"),
        sampling: PAPER_SAMPLING,
        seed: answerSeeds(1, "holdout")("p1"),
        sample: 0,
      },
    ]);
    expect(task.readings).toBe(0);
    expect(answers[0]).toMatchObject({ response: "x", completions: 1 });
    expect(answers[0]).not.toHaveProperty("confidence");
    expect(answers[0]).not.toHaveProperty("examples");
  });

  it("is what an empty configuration means", () => {
    expect(evolveConfigSchema.parse({}).strategy).toEqual(PAPER_STRATEGY);
    expect(answerSampling(PAPER_SAMPLING, PAPER_STRATEGY)).toBe(PAPER_SAMPLING);
    expect(describeStrategy(PAPER_STRATEGY)).toBe("no examples, 1 answer, no repair, full reasoning");
  });
});

describe("a vote", () => {
  const ballots = (...results: (string | null)[]) =>
    results.map((result, i) => ({ answer: "a".repeat(10 - i), result }));

  it("takes the most frequent result, ties to the shortest answer, and counts all draws", () => {
    expect(choose(ballots("1", "2", "2", null), "result")).toMatchObject({ chosen: 2, confidence: 0.5 });
    expect(choose(ballots("1", "2"), "result")).toMatchObject({ chosen: 1, confidence: 0.5 });
    expect(choose(ballots(null, "1", "2", "2"), "first")).toMatchObject({ chosen: 1, confidence: 0.25 });
    expect(choose(ballots(null, null), "result")).toEqual({ chosen: 0, confidence: 0, groups: [] });
    expect(choose(ballots("1", "2", "2", null), "result").groups).toEqual([
      { shown: 2, size: 2 },
      { shown: 0, size: 1 },
    ]);
  });

  it("draws answers that differ in their sample alone, and grades the one that is taken", async () => {
    const { answers, requests, task } = await answered(
      ({ sample }) => ["5", "x", "right", "right"][sample] ?? "",
      {
        samples: 4,
      },
    );
    expect(requests.map(({ sample }) => sample)).toEqual([0, 1, 2, 3]);
    expect(new Set(requests.map(({ seed, messages }) => JSON.stringify([seed, messages]))).size).toBe(1);
    expect(answers[0]).toMatchObject({ response: "right", confidence: 0.5, completions: 4, tokens: 4 });
    expect(answers[0]?.outcome.correct).toBe(true);
    expect(task.graded).toBe(1);
  });

  it("goes by the answers' texts where a task does not look at answers", async () => {
    const task = new NumberTask(20);
    const words = ["a", "right", "", "right"];
    const own = strategy({ samples: 4 });
    const answers = await answer(
      underStrategy(task, { strategy: own }, []),
      new ScriptedModel(({ sample }) => words[sample] ?? ""),
      {
        ...{ instructions: "i", asked: eachSample(["p1"], 1), strategy: own, sampling: PAPER_SAMPLING },
        seedOf: () => 1,
      },
    );
    expect(answers[0]).toMatchObject({ response: "right", confidence: 0.5 });
  });
});

describe("repair", () => {
  it("gives answers back with the reason where none of them can be used", async () => {
    const { answers, requests } = await answered(
      (request) => (lastWords(request).startsWith("it failed") ? ["right", "2"][request.sample] : "x1") ?? "",
      { samples: 2, repair: 2 },
    );
    expect(requests).toHaveLength(4);
    expect(requests[2]?.messages.slice(-2)).toEqual([
      { role: "assistant", content: "x1" },
      { role: "user", content: "it failed: bad x" },
    ]);
    expect(requests[2]).toMatchObject({ sample: 0, seed: requests[0]?.seed });
    expect(answers[0]).toMatchObject({ completions: 4, repaired: true, response: "2", confidence: 0.5 });
  });

  it("is for no answer that works, and knows nothing of the gold one", async () => {
    const words = (request: GenerateRequest) => (request.sample === 0 ? "x" : "wrong");
    const { answers, requests } = await answered(words, { samples: 2, repair: 2 });
    expect(requests).toHaveLength(2);
    expect(answers[0]).toMatchObject({ response: "wrong", confidence: 0.5 });
    expect(answers[0]).not.toHaveProperty("repaired");
  });

  it("ends after so many attempts, and where the conversation does not fit any more", async () => {
    expect((await answered(() => "x", { repair: 3 })).requests).toHaveLength(4);
    const short = await answered(() => "x", { repair: 3 }, { contextSize: 110 });
    expect(short.requests.length).toBeLessThan(4);
    expect(short.answers[0]?.outcome.correct).toBe(false);
  });

  it("gives an empty result back if it is to, and takes it after all where the repair fails", async () => {
    const words = (request: GenerateRequest) => (lastWords(request) === "nothing came out" ? "x" : "0");
    expect((await answered(words, { repair: 1 })).requests).toHaveLength(1);
    const { answers, requests } = await answered(words, { repair: 1, repairEmpty: true });
    expect(requests).toHaveLength(2);
    expect(answers[0]?.response).toBe("0");
    // It is the first answer, which no repair has brought.
    expect(answers[0]).not.toHaveProperty("repaired");
  });
});

describe("mending", () => {
  const words = (request: GenerateRequest) => ["x: 7", "x", "7"][request.sample] ?? "";

  it("takes what the task makes of an answer that cannot be used, before the vote and before any repair", async () => {
    const { answers, requests } = await answered(words, { samples: 3, mend: true, repair: 1 });
    expect(requests).toHaveLength(3);
    expect(answers[0]).toMatchObject({ response: "7", confidence: 2 / 3, completions: 3 });
    const one = await answered(words, { mend: true, repair: 1 });
    expect(one.requests).toHaveLength(1);
    expect(one.answers[0]).toMatchObject({ response: "7", repaired: true, completions: 1 });
  });

  it("is done where the strategy says so alone", async () => {
    const { answers } = await answered(words, { samples: 2 });
    expect(answers[0]).toMatchObject({ response: "x: 7", confidence: 0 });
    expect(describeStrategy(strategy({ mend: true }))).toBe(
      "no examples, 1 answer, missing joins added, no repair, full reasoning",
    );
  });

  it("is done to repairs, too, and an empty result of it is given back like others", async () => {
    const repaired = (request: GenerateRequest) =>
      lastWords(request).startsWith("it failed") ? "x: 5" : "x1";
    const one = await answered(repaired, { mend: true, repair: 1 });
    expect(one.answers[0]).toMatchObject({ response: "5", completions: 2 });
    const empty = (request: GenerateRequest) => (lastWords(request) === "nothing came out" ? "x" : "x: 0");
    const two = await answered(empty, { mend: true, repair: 1, repairEmpty: true });
    expect(two.requests).toHaveLength(2);
    expect(two.answers[0]).toMatchObject({ response: "0", repaired: true });
  });
});

describe("examples", () => {
  it("are the most similar of the pool, the most similar one last, as earlier turns after what is shared", async () => {
    const { requests } = await answered(() => "", { examples: 2, reasoning: "none" });
    const messages = requests[0]?.messages ?? [];
    expect(messages.map(({ role }) => role)).toEqual([
      ...["system", "user", "assistant", "user", "assistant", "user"],
    ]);
    expect(messages[0]?.content).toBe("SYSTEM i");
    // Examples show the form: the question needs no request.
    expect(messages.at(-1)?.content).toBe("what is p1 plus 1");
    expect(messages[3]?.content).toMatch(/^what is p\d+ plus 1$/);
    const id = /p\d+/.exec(messages[3]?.content ?? "")?.[0];
    expect(messages[4]?.content).toBe(`sum of ${id}`);
    for (const [given, ending] of [
      [{ examples: 1, reasoning: "brief" }, "answer after brief thought"],
      [{ reasoning: "none" }, "answer after none thought"],
    ] as const) {
      const { requests } = await answered(() => "", given);
      expect(requests[0]?.messages.at(-1)?.content).toBe(`what is p1 plus 1\n\n${ending}`);
    }
  });

  it("never are the problem itself or a twin of it, whatever the pool has", () => {
    const task = new SumTask(40);
    const { holdout, pool } = splitProblems(
      task,
      evolveConfigSchema.parse({ holdout: 10, batch: 3, test: 5 }),
    );
    // Planted: all problems of the holdout, as if they were in the pool.
    const asked = underStrategy(task, { strategy: strategy({ examples: 8 }) }, [...holdout, ...pool]);
    const ending = (id: string) => Number(id.slice(1)) % 10;
    for (const problem of holdout) {
      const examples = asked.examplesFor(problem);
      expect(examples).toHaveLength(8);
      expect(examples).not.toContain(problem);
      expect(examples.map(ending)).not.toContain(ending(problem));
    }
  });

  it("come from the pool alone in a run, whose answers say which they saw", async () => {
    const task = new SumTask(40);
    const journal = new MemoryJournal();
    const config = evolveConfigSchema.parse({
      ...{ rounds: 1, batch: 3, holdout: 8, test: 6, sampling: { maxTokens: 50 } },
      strategy: { examples: 3, reasoning: "none", samples: 2 },
    });
    const model = new ScriptedModel(({ messages }) => (messages.length === 1 ? "<prompt>new</prompt>" : "1"));
    const { split, tree } = await evolve(task, model, config, journal);
    expect(tree.root.instructions).toBe("think none");
    const answers = journal.events.filter((event) => event.type === "answer");
    expect(new Set(answers.map(({ phase }) => phase))).toEqual(new Set(["batch", "holdout", "test"]));
    for (const { problem, examples = [] } of answers) {
      expect(examples).toHaveLength(3);
      expect(examples.filter((id) => !split.pool.includes(id) || id === problem)).toEqual([]);
    }
    expect(journal.recall("inputs", "inputs")?.strategy).toBe(
      "3 examples, 2 answers by vote, no repair, no reasoning",
    );
  });

  it("are filled up in the given order where no words are shared", () => {
    const solved = ["one", "two", "three"].map((text) => ({ id: text, text, twinKeys: [] }));
    const index = new ExampleIndex(solved);
    expect(index.similarTo({ text: "Three?", twinKeys: [], count: 2 })).toEqual(["one", "three"]);
    expect(index.similarTo({ text: "four", twinKeys: [], count: 5 })).toEqual(["three", "two", "one"]);
  });

  it("are found for questions with words of any length", () => {
    const long = "acgt".repeat(25_000);
    const index = new ExampleIndex([long, "gene"].map((text) => ({ id: text, text, twinKeys: [] })));
    expect(index.similarTo({ text: long, twinKeys: [], count: 1 })).toEqual([long]);
    expect(index.similarTo({ text: `genes ${long}t`, twinKeys: [], count: 1 })).toEqual(["gene"]);
  });

  it("are refused with one line where a task has no parts", () => {
    for (const [over, field] of [
      [{ examples: 1 }, "examples"],
      [{ reasoning: "none" }, "reasoning"],
      [{ repair: 1 }, "repair"],
    ] as const)
      expect(() => underStrategy(new NumberTask(5), { strategy: strategy(over) }, [])).toThrow(
        new RegExp(`^numbers: \`evolve.strategy.${field}\` does not work with this task`),
      );
  });
});

describe("an answer that is cut off in the middle", () => {
  it("pays for nothing twice, looks at nothing twice, and ends like an unbroken one", async () => {
    const journal = new MemoryJournal();
    const words = (request: GenerateRequest) =>
      lastWords(request).startsWith("it failed") ? `${request.sample}` : "x";
    let left = 17;
    const run = async (model: ScriptedModel, kept: MemoryJournal) => {
      const task = new SumTask(20);
      const own = strategy({ samples: 4, repair: 1, examples: 2 });
      const answers = await answer(
        underStrategy(task, { strategy: own }, task.problemIds),
        new CachedModel(model, kept),
        {
          ...{ instructions: "i", asked: eachSample(["p1", "p2", "p3"], 1), strategy: own },
          ...{ sampling: PAPER_SAMPLING, seedOf: () => 1 },
          ...gradesIn(kept, { node: 0, phase: "holdout", round: 0 }),
        },
      );
      return { answers, readings: task.readings };
    };
    const dying = new ScriptedModel((request) => {
      if (left-- === 0) throw new Error("killed");
      return words(request);
    });
    await expect(run(dying, journal)).rejects.toThrow("killed");
    const resumed = new ScriptedModel(words);
    const { answers, readings } = await run(resumed, journal);
    const whole = new ScriptedModel(words);
    const unbroken = await run(whole, new MemoryJournal());
    expect(answers).toEqual(unbroken.answers);
    expect(whole.requests).toHaveLength(3 * 4 + 3 * 4);
    expect(resumed.requests).toHaveLength(whole.requests.length - 17);
    const again = new ScriptedModel(words);
    expect(await run(again, journal)).toEqual({ answers: unbroken.answers, readings: 0 });
    expect(again.requests).toEqual([]);
    expect(readings).toBeLessThanOrEqual(unbroken.readings);
  });
});

describe("reliability", () => {
  it("counts right answers by confidence, with a row for full agreement", () => {
    const rows = reliability([
      ...[0.25, 0.375].map((confidence) => ({ confidence, correct: false })),
      ...[1, 1, 1, 1].map((confidence, i) => ({ confidence, correct: i > 0 })),
    ]);
    expect(rows.map(({ from, to, answers, right }) => [from, to, answers, right])).toEqual([
      [0.25, 0.5, 2, 0],
      [1, 1, 4, 3],
    ]);
    expect(rows[1]?.mean).toBe(0.75);
    expect(rows[1]?.low).toBeCloseTo(0.3006, 3);
    expect(rowFor(rows, 0.3)).toBe(rows[0]);
    expect(rowFor(rows, 1)).toBe(rows[1]);
    expect(rowFor(rows, 0.9)).toBeUndefined();
  });
});

/** Asking a workspace with the strategy that workspaces have: examples, a vote, repair. */
import { writeFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { type Strategy, strategySchema, WORKSPACE_STRATEGY } from "#lse/answer/strategy.js";
import { type GenerateRequest, PAPER_SAMPLING } from "#lse/model.js";
import { agreementRecord } from "#lse/runs/workspace-ask.js";
import { answerText } from "#lse/terminal/workspace-text.js";
import { ask } from "#lse/workspace/ask.js";
import { AskedLog } from "#lse/workspace/asked.js";
import { openExecutor } from "#lse/workspace/executor.js";
import { Workspace } from "#lse/workspace/folder.js";
import { ScriptedModel } from "../fakes.js";
import { bakery, scratch } from "../workspace-folder.js";

const folder = scratch();
afterAll(folder.remove);

const SOLVED = `
- question: What does the Sacher cost?
  sql: SELECT price FROM cakes WHERE name = 'Sacher'
- question: How many cakes are there?
  sql: SELECT count(*) FROM cakes
- question: Which towns?
  rows: [[Linz]]
`;

/** Asks what the Linzer costs. */
async function asked(
  name: string,
  words: (request: GenerateRequest) => string,
  strategy: Strategy = { ...WORKSPACE_STRATEGY, samples: 8 },
) {
  const own = Workspace.open(await bakery(folder.path(name), SOLVED));
  await using executor = openExecutor(own);
  const model = new ScriptedModel(words);
  const question = { question: "What does the Linzer cost?", evidence: "" };
  const answered = await ask(own, question, { model, sampling: PAPER_SAMPLING, strategy, executor });
  const [logged] = new AskedLog(own.askedPath).questions;
  return { ...answered, logged, own, requests: model.requests, text: answerText(own, answered, 5, null) };
}

const query = (sql: string) => `<answer>${sql}</answer>`;
const byName = (price: number) => query(`SELECT price FROM cakes WHERE price = ${price}`);

describe("a question to a workspace", () => {
  it("is asked with solved questions, the most similar one last, twins and all, and answered by a vote", async () => {
    const {
      requests,
      asked: entry,
      logged,
      other,
      text,
    } = await asked("vote", ({ sample }) =>
      sample < 5 ? `By name. ${byName(300)}` : sample < 7 ? byName(450) : query("SELECT nothing FROM cakes"),
    );
    expect(requests).toHaveLength(8);
    expect(requests[0]?.sampling).toMatchObject({ temperature: 0.7, maxTokens: 256 });
    const prompt = requests[0]?.messages.map(({ content }) => content).join("\n") ?? "";
    expect(prompt).toMatch(/How many cakes[\s\S]*What does the Sacher cost\?\n<answer>SELECT price/);
    expect(requests[0]?.messages.at(-1)?.content).toBe("Question: What does the Linzer cost?");
    // Rows without a query show nothing about writing one.
    expect(prompt).not.toContain("Which towns?");
    expect(entry).toEqual(logged);
    expect(logged).toMatchObject({
      sql: "SELECT price FROM cakes WHERE price = 300",
      rows: 1,
      draws: 8,
      confidence: 5 / 8,
      response: `By name. ${byName(300)}`,
      examples: ["How many cakes are there?", "What does the Sacher cost?"],
      other: { sql: "SELECT price FROM cakes WHERE price = 450", share: 2 / 8 },
    });
    expect(other?.result).toMatchObject({ ok: true, table: { rows: [[450n]] } });
    expect(text).toContain("The model says: By name.");
    expect(text).toContain("5 of 8 answers agree.");
    expect(text).not.toContain("Not sure");
  });

  it("that divides the answers is shown with both readings", async () => {
    const { text } = await asked(
      "unsure",
      ({ sample }) => [300, 300, 300, 450, 450, 520].map(byName)[sample] ?? query("SELECT"),
    );
    expect(text).toMatch(
      /price = 300\n[\s\S]*Not sure: only 3 of 8 answers agree\.\n\n2 of 8 read the question in another way:\n.*price = 450\n/,
    );
  });

  it("whose first answer is taken is shown beside the most frequent one", async () => {
    const { logged } = await asked(
      "first",
      ({ sample }) => (sample === 0 ? byName(450) : byName(300)),
      strategySchema.parse({ samples: 3, vote: "first" }),
    );
    expect(logged).toMatchObject({
      sql: "SELECT price FROM cakes WHERE price = 450",
      confidence: 1 / 3,
      other: { sql: "SELECT price FROM cakes WHERE price = 300", share: 2 / 3 },
    });
  });

  it("whose queries all fail is repaired with the names that there are, and says so", async () => {
    const own = strategySchema.parse({ repair: 1, reasoning: "none" });
    const { requests, logged, text } = await asked(
      "repair",
      ({ messages }) =>
        messages.length === 2 ? query("SELECT cost FROM cakes WHERE name = 'Linzer'") : byName(300),
      own,
    );
    expect(requests).toHaveLength(2);
    expect(requests[1]?.sampling.temperature).toBe(0);
    expect(requests[1]?.messages.at(-1)?.content).toMatch(
      /^Your query fails: SQLite: no such column: cost\. There is no column cost; the nearest name is \w+\. Write the corrected query/,
    );
    expect(logged).toMatchObject({ sql: "SELECT price FROM cakes WHERE price = 300", rows: 1 });
    expect(logged?.repaired).toEqual([
      {
        sql: "SELECT cost FROM cakes WHERE name = 'Linzer'",
        error: expect.stringContaining("no such column"),
      },
    ]);
    expect(logged).not.toHaveProperty("draws");
    expect(text).toMatch(/Repaired: SELECT cost .*no such column: cost/);
  });

  it("is logged beside questions of earlier versions, and nothing is known of agreement before a run", async () => {
    const { own } = await asked("old", () => byName(300));
    const { draws, confidence, response, examples, repaired, ...old } = new AskedLog(own.askedPath)
      .questions[0] as NonNullable<AskedLog["questions"][number]>;
    writeFileSync(own.askedPath, `${JSON.stringify(old)}\n`);
    expect(new AskedLog(own.askedPath).questions).toEqual([old]);
    expect(agreementRecord(own, 0.5)).toBeNull();
  });
});

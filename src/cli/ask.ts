/** `lse ask`: a question to a workspace, and whether its answer was right. */
import { Command, Option } from "@commander-js/extra-typings";
import { LseError } from "../errors.js";
import { agreementRecord, askWorkspace } from "../runs/workspace-ask.js";
import { answerText, feedbackText } from "../terminal/workspace-text.js";
import { type Answered, giveFeedback } from "../workspace/ask.js";
import { openExecutor } from "../workspace/executor.js";
import { Workspace } from "../workspace/folder.js";
import { integer } from "./options.js";

export function askCommand() {
  return new Command("ask")
    .description("ask your own database with the best instructions, or say whether an answer was right")
    .argument("<folder>", "a folder of lse init")
    .argument("[question]", "in words")
    .option("--evidence <text>", "hints that belong to the question")
    .option("--model <file>", "another model than the folder's")
    .option("--rows <count>", "rows to print", integer(1), 20)
    .addOption(
      new Option(
        "--feedback <verdict>",
        "whether the last answer was right; with its SQL the question is added to yours",
      ).choices(["right", "wrong"] as const),
    )
    .option("--sql <query>", "with --feedback wrong: the query that is right")
    .option("--id <number>", "with --feedback: another question than the last", integer(1))
    .option("--json", "print one JSON document")
    .action(async (path, question, options) => {
      const folder = Workspace.open(path);
      if (options.feedback !== undefined) {
        if (question !== undefined)
          throw new LseError(
            "feedback is for a question that was asked before",
            "Leave the question out; --id names another than the last",
          );
        await using executor = openExecutor(folder);
        const given = await giveFeedback(folder, options.feedback, options, executor);
        if (options.json) console.log(JSON.stringify(given));
        else console.log(feedbackText(folder, given));
        return;
      }
      const needless = (["sql", "id"] as const).find((name) => options[name] !== undefined);
      if (needless !== undefined)
        throw new LseError(
          `--${needless} is for feedback`,
          "Give --feedback right or --feedback wrong with it",
        );
      if (question === undefined || question.trim() === "")
        throw new LseError(
          "the question is missing",
          'Write it after the folder: lse ask folder "How many …?"',
        );
      if (folder.manual() === null)
        console.error(
          `There is no manual yet, so the model answers without one. Write questions, then run lse evolve ${folder.path}`,
        );
      const asked = { question: question.trim(), evidence: options.evidence ?? "" };
      const answered = await askWorkspace(folder, asked, options.model);
      if (options.json) console.log(JSON.stringify(documentOf(answered, options.rows), plain));
      else {
        const { confidence } = answered.asked;
        const record = confidence === undefined ? null : agreementRecord(folder, confidence);
        console.log(answerText(folder, answered, options.rows, record));
      }
      if (!answered.result.ok) process.exitCode = 1;
    });
}

function documentOf({ asked, result, other }: Answered, most: number) {
  const { id, question, sql, error, rows, draws, confidence, repaired = [], examples = [], response } = asked;
  const tableOf = (of: Answered["result"]) =>
    of.ok ? { columns: of.table.columns, first: of.table.rows.slice(0, most) } : {};
  const second = other === null ? null : { sql: other.sql, share: other.share, ...tableOf(other.result) };
  const about = { draws, confidence, repaired, examples, response, other: second };
  return { id, question, sql, error, rows, ...tableOf(result), ...about };
}

/** JSON has no integers of 64 bits and no bytes. */
const plain = (_: string, value: unknown) => {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  return value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value;
};

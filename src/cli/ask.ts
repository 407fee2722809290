import { Command, Option } from "@commander-js/extra-typings";
import type { SqlExecutor } from "../bird/sql/executor.js";
import type { SqlValue } from "../bird/sql/rows.js";
import { LseError } from "../errors.js";
import { openModel } from "../runs/config.js";
import { answeringConfig } from "../runs/workspace-model.js";
import { printable } from "../terminal/render-tree.js";
import { textTable } from "../terminal/text-table.js";
import { type Answered, ask, type FeedbackGiven, giveFeedback } from "../workspace/ask.js";
import { openExecutor } from "../workspace/executor.js";
import { OwnFolder } from "../workspace/folder.js";
import { formOf } from "../workspace/forms.js";
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
        "whether the last answer was right: the question becomes a problem",
      ).choices(["right", "wrong"] as const),
    )
    .option("--sql <query>", "with --feedback wrong: the query that is right")
    .option("--id <number>", "with --feedback: another question than the last", integer(1))
    .option("--json", "print one JSON document")
    .action(async (path, question, options) => {
      const folder = OwnFolder.open(path);
      await using executor = openExecutor(folder);
      if (options.feedback !== undefined) {
        if (question !== undefined)
          throw new LseError(
            "feedback is on a question that was asked",
            "Leave the question out; --id names another than the last",
          );
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
          'Write it behind the folder: lse ask folder "How many …?"',
        );
      const answered = await answer(folder, question.trim(), options.evidence ?? "", options.model, executor);
      if (options.json) console.log(JSON.stringify(documentOf(answered, options.rows), plain));
      else console.log(answerText(folder, answered, options.rows));
      if (!answered.result.ok) process.exitCode = 1;
    });
}

async function answer(
  folder: OwnFolder,
  question: string,
  evidence: string,
  model: string | undefined,
  executor: SqlExecutor,
): Promise<Answered> {
  const config = answeringConfig(folder, model);
  const { prompts, engine } = folder.config;
  const form = formOf(prompts, engine);
  const workload = {
    problemIds: ["asked"],
    seedInstructions: form.seedInstructions,
    prompt: (_: string, instructions: string) =>
      form.prompt(folder.schema(), { question, evidence }, instructions),
  };
  if (folder.manual() === null)
    console.error(
      `There is no manual yet: this answer is the model's own. Write questions, then lse evolve ${folder.path}`,
    );
  const opened = await openModel(config, workload);
  await using policy = opened.model;
  return await ask(folder, { question, evidence }, policy, config.evolve.sampling, executor);
}

function answerText({ path }: OwnFolder, { asked, result }: Answered, most: number): string {
  const lines = [printable(asked.sql), ""];
  if (result.ok) {
    const { columns, rows } = result.table;
    const shown = rows.slice(0, most);
    lines.push(textTable([columns, ...shown.map((row) => row.map(cell))].map((row) => row.map(printable))));
    const total = result.rows === 1 ? "1 row" : `${result.rows} rows`;
    lines.push(
      "",
      shown.length < result.rows ? `${total}, of which the first ${shown.length} are shown.` : `${total}.`,
    );
  } else lines.push(`No rows: ${result.error}.`);
  lines.push(
    `Question ${asked.id}. Right or wrong? lse ask ${path} --feedback right, or --feedback wrong --sql "SELECT …"`,
  );
  return lines.join("\n");
}

function documentOf({ asked, result }: Answered, most: number) {
  const { id, question, sql, error, rows } = asked;
  const table = result.ok ? { columns: result.table.columns, first: result.table.rows.slice(0, most) } : {};
  return { id, question, sql, error, rows, ...table };
}

function feedbackText({ path, questionsPath }: OwnFolder, { asked, done, sameRows }: FeedbackGiven): string {
  const what = {
    added: `${questionsPath}: the question is a problem now.`,
    replaced: `${questionsPath}: the question was there, and has this SQL now.`,
    known: `${questionsPath}: the question is there with this very SQL.`,
    nothing: `Recorded. What is right is not known yet: lse ask ${path} --feedback wrong --id ${asked.id} --sql "SELECT …"`,
  }[done];
  return [
    what,
    ...(sameRows ? ["Today both queries return the same rows."] : []),
    ...(done === "added" || done === "replaced"
      ? [`The manual learns from it with: lse evolve ${path}`]
      : []),
  ].join("\n");
}

function cell(value: SqlValue): string {
  if (value === null) return "NULL";
  return value instanceof Uint8Array
    ? `x'${Buffer.from(value).toString("hex").slice(0, 32)}'`
    : String(value);
}

/** JSON has no integers of 64 bits and no bytes. */
const plain = (_: string, value: unknown) => {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  return value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value;
};

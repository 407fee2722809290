/** `lse init`: a workspace for your own database. */
import { join, resolve } from "node:path";
import { Command, Option } from "@commander-js/extra-typings";
import { printable, printableLine } from "../lib/printable.js";
import { isRemote } from "../runtime/remote/names.js";
import { FILES, PROMPTS } from "../workspace/folder.js";
import { defaultFolder, initFolder } from "../workspace/init.js";
import { FEWEST_QUESTIONS } from "../workspace/protocol.js";

/** Databases of this size are told what it costs to read them. */
const LARGE_BYTES = 2 ** 29;
/** Schemas of this length are a large part of most contexts. */
const LONG_SCHEMA = 24_000;
const CHARS_PER_TOKEN = 4;

export function initCommand() {
  return new Command("init")
    .description("make a folder for your own database, with questions to fill in")
    .argument(
      "<database...>",
      "a SQLite or DuckDB file, or files of tables: CSV, TSV, JSON lines (also .gz) and Parquet",
    )
    .option("--to <folder>", "where to (the database's name)")
    .option("--model <file>", "the model that answers; lse evolve takes it too")
    .addOption(
      new Option("--prompts <form>", "sql: for any model; mini: the words of the embedded models")
        .choices(PROMPTS)
        .default("sql" as const),
    )
    .option("--json", "print one JSON document")
    .action(async (databases, { to, model, prompts, json }) => {
      const folder = to ?? defaultFolder(databases[0] as string);
      const path = model === undefined || isRemote(model) ? model : resolve(model);
      const made = await initFolder({
        databases,
        folder,
        prompts,
        model: path === undefined ? {} : { path },
      });
      if (json) {
        console.log(JSON.stringify({ folder, ...made }));
        return;
      }
      const file = (name: string) => join(folder, name);
      const { tables, bytes, characters, cut, broken } = made;
      const lines = [
        `${file(FILES.schema)}: ${tables === 1 ? "1 table" : `${tables} tables`}, as the model is shown them; edit it where names do not say enough.`,
        `${file(FILES.questions)}: write questions with their SQL there, at least ${FEWEST_QUESTIONS}, better 30.`,
        `${file(FILES.config)}: database, prompts${model === undefined ? "" : ", model"}.`,
        ...(cut === null ? [] : [`The schema has no example values, because ${cut}.`]),
        ...broken.map(({ name, why }) =>
          printableLine(`${name} cannot be read (${why}): it was left out of the schema.`),
        ),
        ...(characters > LONG_SCHEMA
          ? [
              `The schema takes about ${Math.round(characters / CHARS_PER_TOKEN)} tokens of every prompt: remove tables that nobody asks about.`,
            ]
          : []),
        ...(bytes >= LARGE_BYTES
          ? [
              `The database has ${(bytes / 2 ** 30).toFixed(1)} GB: each \`lse evolve\` reads it once, to know whether it has changed (some seconds a GB).`,
            ]
          : []),
        `Then: lse evolve ${folder}${model === undefined ? " --model <file>" : ""}`,
      ];
      console.log(printable(lines.join("\n")));
    });
}

/** `lse query` and `lse export`: runs in SQL, and as Parquet files. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Command } from "@commander-js/extra-typings";
import { RunQuery, VIEWS } from "../journal/run-query.js";
import { runFolders } from "../runs/run-folders.js";
import { textTable } from "../terminal/text-table.js";

const VIEW_HELP = Object.entries(VIEWS)
  .map(([name, row]) => `  ${name.padEnd(9)}${row}`)
  .join("\n");

export function queryCommand() {
  return new Command("query")
    .description("ask run folders in SQL (DuckDB); a run may still be going on")
    .argument("<run>", "folder of a run, or a folder of such folders")
    .argument("<sql>", "one statement")
    .option("--json", "print the rows as JSON, one a line")
    .addHelpText("after", `\nViews, and what a row of each is:\n${VIEW_HELP}`)
    .action(async (run, sql, { json }) => {
      await using query = await RunQuery.open(runFolders(run));
      const { columns, rows } = await query.rows(sql);
      if (json)
        for (const row of rows)
          console.log(JSON.stringify(Object.fromEntries(columns.map((name, i) => [name, row[i]])), plain));
      else console.log(textTable([columns, ...rows.map((row) => row.map(textOf))]));
    });
}

export function exportCommand() {
  return new Command("export")
    .description("write what runs hold as Parquet files, one for each view of `lse query`")
    .argument("<run>", "folder of a run, or a folder of such folders")
    .requiredOption("--parquet <folder>", "where the files go")
    .action(async (run, { parquet }) => {
      await using query = await RunQuery.open(runFolders(run));
      mkdirSync(parquet, { recursive: true });
      for (const view of Object.keys(VIEWS)) {
        const path = join(parquet, `${view}.parquet`);
        await query.rows(`COPY ${view} TO '${path.replaceAll("'", "''")}' (FORMAT parquet)`);
        console.log(path);
      }
    });
}

/** What DuckDB counts with is wider than JSON's numbers. */
const plain = (_: string, value: unknown) => (typeof value === "bigint" ? Number(value) : value);

function textOf(value: unknown): string {
  if (value === null) return "";
  return typeof value === "object" ? JSON.stringify(value, plain) : String(value);
}

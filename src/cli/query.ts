/** `lse query` and `lse export`: runs in SQL, and as Parquet files. */
import { once } from "node:events";
import { join } from "node:path";
import { Command } from "@commander-js/extra-typings";
import { RunQuery, VIEWS } from "../journal/run-query.js";
import { makeFolder } from "../lib/files.js";
import { printable } from "../lib/printable.js";
import { runFolders } from "../runs/run-folders.js";
import { tableLines } from "../terminal/text-table.js";

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
      if (json) await printLines(rows.map((row) => documentOf(columns, row)));
      else await printLines(tableLines([columns.map(printable), ...rows.map((row) => row.map(textOf))]));
    });
}

export function exportCommand() {
  return new Command("export")
    .description("write what runs hold as Parquet files, one for each view of `lse query`")
    .argument("<run>", "folder of a run, or a folder of such folders")
    .requiredOption("--parquet <folder>", "where the files go")
    .action(async (run, { parquet }) => {
      await using query = await RunQuery.open(runFolders(run));
      makeFolder(parquet);
      for (const view of Object.keys(VIEWS)) {
        const path = join(parquet, `${view}.parquet`);
        await query.rows(`COPY ${view} TO '${path.replaceAll("'", "''")}' (FORMAT parquet)`);
        console.log(path);
      }
    });
}

const documentOf = (columns: readonly string[], row: readonly unknown[]) =>
  JSON.stringify(Object.fromEntries(columns.map((name, i) => [name, row[i]])), plain);

/** Lines that are handed over together. */
const AT_ONCE = 1000;

/** Prints lines as fast as they are read: many are never one text, nor all of them waiting. */
async function printLines(lines: Iterable<string>): Promise<void> {
  let some: string[] = [];
  const print = async () => {
    if (some.length > 0 && !process.stdout.write(`${some.join("\n")}\n`)) await once(process.stdout, "drain");
    some = [];
  };
  for (const line of lines) {
    some.push(line);
    if (some.length === AT_ONCE) await print();
  }
  await print();
}

/** What DuckDB counts with is wider than JSON's numbers. */
const plain = (_: string, value: unknown) => (typeof value === "bigint" ? Number(value) : value);

function textOf(value: unknown): string {
  if (value === null) return "";
  return printable(typeof value === "object" ? JSON.stringify(value, plain) : String(value));
}

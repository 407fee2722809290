import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "@photostructure/sqlite";
import { initFolder } from "#lse/workspace/init.js";

/** A temporary folder that goes with the test file; `path` names what is in it. */
export function scratch() {
  const root = mkdtempSync(join(tmpdir(), "lse-own-"));
  return {
    path: (...names: string[]) => join(root, ...names),
    remove: () => rmSync(root, { recursive: true }),
  };
}

/** A SQLite file made of statements. */
export function sqlite(path: string, sql: string): string {
  const db = new DatabaseSync(path);
  db.exec(sql);
  db.close();
  return path;
}

export const BAKERY = `CREATE TABLE cakes (id INTEGER PRIMARY KEY, name TEXT, price INTEGER);
  INSERT INTO cakes VALUES (1, 'Sacher', 450), (2, 'Linzer', 300), (3, 'Dobos', 520)`;

/** Questions that all have another answer: how many cakes cost more than so much, and so many more. */
export const questions = (count: number, from = 0) =>
  Array.from(
    { length: count },
    (_, i) => `- question: Question ${from + i}?\n  sql: SELECT count(*) + ${from + i} FROM cakes\n`,
  ).join("");

/** A folder of lse init on a bakery's database, with these questions. */
export async function bakery(root: string, yaml: string): Promise<string> {
  const database = sqlite(`${root}.sqlite`, BAKERY);
  await initFolder({ databases: [database], folder: root, prompts: "sql", model: {} });
  writeFileSync(join(root, "questions.yaml"), yaml);
  return root;
}

/**
 * A database to try `lse init` with, for which the embedded model suffices, and questions as someone would fill them in:
 *
 *   npm run example-database -- example                 example/pets.sqlite, 30 questions, and 10 more to ask
 *   npm run example-database -- example --db 3          another database of the miniature world
 *
 * Its business terms have meanings that the schema does not show: that is what the manual is to find out.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "@commander-js/extra-typings";
import { stringify } from "yaml";
import { makeDatabase } from "#lse/mini/generator.js";
import { makeProblems } from "#lse/mini/problems.js";
import { writeDatabase } from "#lse/mini/rows.js";
import { parseAddress } from "#lse/mini/splits.js";

const program = new Command("example-database")
  .description("Write an example database with questions for lse init.")
  .argument("<folder>", "a new folder")
  .option("--db <seed>", "another database of the miniature world", "9")
  .option("--questions <count>", "questions to fill in", Number, 30)
  .parse();
const [folder] = program.processedArgs;
const { db, questions } = program.opts();
/** Questions that are left to be asked. */
const MORE = 10;

const database = makeDatabase(parseAddress(db));
const problems = makeProblems(database, questions + MORE);
mkdirSync(folder, { recursive: true });
const file = (name: string) => join(folder, name);
const databaseFile = file(`${database.domain}.sqlite`);
writeDatabase(database, databaseFile).close();

const entries = problems.slice(0, questions).map(({ text, gold }) => ({ question: text, sql: gold }));
writeFileSync(file("questions.yaml"), stringify(entries, { lineWidth: 0 }));
const left = problems.slice(questions).map(({ text, gold }) => ({ question: text, sql: gold }));
writeFileSync(file("more-questions.yaml"), stringify(left, { lineWidth: 0 }));

console.log(`${databaseFile}: ${database.tables.map(({ name }) => name).join(", ")}
${file("questions.yaml")}: ${questions} questions with their SQL
${file("more-questions.yaml")}: ${MORE} more, to ask`);

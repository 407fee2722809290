/** `lse mini`: the miniature world's databases, shown and exported. */
import { Command } from "@commander-js/extra-typings";
import { LseError } from "../errors.js";
import { exportToBird } from "../mini/bird-layout.js";
import type { MiniDatabase } from "../mini/database.js";
import { makeDatabase } from "../mini/generator.js";
import { type MiniProblem, makeProblems } from "../mini/problems.js";
import { typeOf } from "../mini/rows.js";
import { type MiniAddress, parseAddress } from "../mini/splits.js";
import { integer } from "./options.js";

/** Questions of a database that `lse mini show` prints. */
const SHOWN = 10;

export function miniCommand() {
  return new Command("mini")
    .description("the miniature world: databases whose conventions have to be found out")
    .addCommand(
      new Command("show")
        .description("print a database, its hidden conventions and ten questions")
        .argument("<db>", "split and seed, such as test/3 or train/0; a seed alone is a test database")
        .option("--json", "print one JSON document")
        .action((text, options) => {
          const database = makeDatabase(parseAddress(text));
          const problems = makeProblems(database, SHOWN);
          console.log(options.json ? asJson(database, problems) : asText(database, problems));
        }),
    )
    .addCommand(
      new Command("export")
        .description("write databases in BIRD's own file layout, for `lse bird` and other programs")
        .argument("<folder>", "a new folder")
        .option("--dbs <list>", "databases, such as 0-9 or dev/0,test/3-5", "0-9")
        .option("--questions <count>", "questions per database", integer(1), 50)
        .action((folder, { dbs, questions }) => {
          const addresses = parseAddresses(dbs);
          exportToBird(folder, addresses, questions);
          console.log(
            `${folder}: ${addresses.length} databases with ${questions} questions each. ` +
              `Check them with \`lse bird validate --data ${folder}\`.`,
          );
        }),
    );
}

/** Most databases that one export writes. */
const MOST = 1000;

/** Reads `0-9`, `dev/0,test/3-5`. @throws LseError for anything else, and for a database named twice */
function parseAddresses(text: string): MiniAddress[] {
  const addresses = text.split(",").flatMap((part) => {
    const [first = "", last] = part.trim().split("-", 2);
    const { split, seed } = parseAddress(first);
    const end = last === undefined ? seed : parseAddress(`${split}/${last}`).seed;
    if (end < seed || end - seed >= MOST) {
      throw new LseError(`"${part}" names ${end - seed + 1} databases`, `Name 1 to ${MOST}, such as 0-9`);
    }
    return Array.from({ length: end - seed + 1 }, (_, i) => ({ split, seed: seed + i }));
  });
  const names = addresses.map(({ split, seed }) => `${split}/${seed}`);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new LseError(`${twice} is named twice`, "Name each database once");
  return addresses;
}

function asText(database: MiniDatabase, problems: readonly MiniProblem[]): string {
  const tables = database.tables.map(({ name, rows, columns }) => {
    const listed = columns.map(({ name, content }) => {
      const link = content.kind === "link" ? ` → ${content.table}` : "";
      return `${name} ${typeOf(content).toLowerCase()}${link}`;
    });
    return `  ${name} (${rows} rows): ${listed.join(", ")}`;
  });
  const conventions = database.conventions.map(
    ({ term, meaning, kind, table }) => `  ${term} means ${meaning}    (${kind}, ${table})`,
  );
  const questions = problems.map(({ text, gold }) => `  ${text}\n    ${gold}`);
  return [
    `${database.id}: ${database.domain}`,
    "",
    "Tables",
    ...tables,
    "",
    "Conventions, which nothing above reveals",
    ...conventions,
    "",
    "Questions and gold queries",
    ...questions,
  ].join("\n");
}

function asJson(database: MiniDatabase, problems: readonly MiniProblem[]): string {
  const questions = problems.map(({ id, text, gold, hidden }) => ({ id, question: text, sql: gold, hidden }));
  return JSON.stringify({ ...database, questions });
}

/** What a terminal gets to see of texts that others wrote: never a control character. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { ChatServer } from "../chat-server.js";
import { besideLse, lse } from "../cli.js";
import { buildTinyBird } from "../tiny-bird/build.js";
import { bakery, scratch, sqlite } from "../workspace-folder.js";

const folder = scratch();
const { path } = folder;
afterAll(folder.remove);

/** Sets the title, clears the screen, and the same with the control characters of 8 bits. */
const EVIL = "\u001b]0;x\u0007\u001b[2J\u009d0;x\u009c\u009b2J\u007f\r";
/** The same as it may be shown. */
const SHOWN = "\\x1b]0;x\\x07\\x1b[2J\\x9d0;x\\x9c\\x9b2J\\x7f";
const inSql = [...EVIL].map((character) => `char(${character.charCodeAt(0)})`).join(" || ");

/** @param text that the program printed */
function expectClean(text: string): void {
  expect(text.replace(/[\n\t]/g, "")).not.toMatch(/\p{Cc}/u);
  expect(text).toContain(SHOWN);
}

let server: ChatServer;
let answer = "";
let failure: string | null = null;
beforeAll(async () => {
  server = await ChatServer.start(() =>
    failure === null ? { text: answer } : { status: 400, message: failure },
  );
  buildTinyBird(path("data"));
});
afterAll(() => server[Symbol.asyncDispose]());

const ask = (own: string) =>
  besideLse({ OPENAI_BASE_URL: `${server.url}/v1` }, "ask", own, "Which?", "--model", "openai:small").ended;

it("lse ask: names, values, queries, errors of queries and of services", async () => {
  const own = await bakery(path("shop"), "");
  answer = `<answer>SELECT ${inSql} AS "a${EVIL}" /* ${EVIL} */</answer>`;
  expectClean((await ask(own)).stdout);
  answer = `<answer>SELECT "no${EVIL}column" FROM cakes</answer>`;
  expectClean((await ask(own)).stdout);
  failure = `no ${EVIL} service`;
  const { stderr } = await ask(own);
  failure = null;
  expect(stderr).toContain("no ");
  expect(stderr.replace(/\n/g, "")).not.toMatch(/\p{Cc}/u);
});

it("lse init and validate: a database's names and values", async () => {
  const evil = sqlite(
    path("evil.sqlite"),
    `CREATE TABLE "t${EVIL}" (a); INSERT INTO "t${EVIL}" VALUES (${inSql})`,
  );
  const made = lse("init", evil, "--to", path("evil"));
  expect(made.status, made.stderr).toBe(0);
  writeFileSync(
    path("evil", "questions.yaml"),
    `- question: ${JSON.stringify(`Which${EVIL}?`)}\n  sql: ${JSON.stringify(`SELECT "${EVIL}".b FROM cakes`)}\n`,
  );
  const { status, stdout, stderr } = lse("validate", path("evil"));
  expect(status, stderr).toBe(1);
  expectClean(stdout);
});

it("lse bird eval: databases, difficulties and errors of predictions", () => {
  const questions = JSON.parse(readFileSync(join(path("data"), "dev.json"), "utf8"));
  const predictions = Object.fromEntries(
    questions.map(({ db_id }: { db_id: string }, i: number) => [
      String(i),
      `SELECT "${EVIL}".x\t----- bird -----\t${db_id}`,
    ]),
  );
  writeFileSync(path("predictions.json"), JSON.stringify(predictions));
  const odd = questions.map((question: object) => ({ ...question, difficulty: `hard${EVIL}` }));
  writeFileSync(join(path("data"), "dev.json"), JSON.stringify(odd));
  const { stdout, stderr } = lse(
    ...["bird", "eval", "--data", path("data"), "--predictions", path("predictions.json")],
    ...["--cache", path("cache")],
  );
  expect(stderr).toBe("");
  expectClean(stdout);
});

it("lse tree and query: instructions, and any value", () => {
  const run = path("run");
  mkdirSync(run);
  const nodes = ["Answer.", `Answer ${EVIL}.`].map((instructions, id) => ({
    ...{ id, parent_id: id === 0 ? null : 0, instructions },
  }));
  writeFileSync(join(run, "config.json"), "{}");
  writeFileSync(join(run, "events.jsonl"), "");
  writeFileSync(join(run, "tree.json"), JSON.stringify({ format_version: 1, root_id: 0, nodes }));
  const tree = lse("tree", run);
  expectClean(tree.stdout + tree.stderr);
  const codes = [...EVIL].map((character) => `chr(${character.charCodeAt(0)})`).join(" || ");
  const query = lse("query", run, `SELECT ${codes} AS "${EVIL}"`);
  expect(query.stderr).toBe("");
  expectClean(query.stdout);
  const failed = lse("query", run, `SELECT "${EVIL}"`);
  expect(failed.status).toBe(1);
  expectClean(failed.stderr);
});

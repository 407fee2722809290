/** SQL over run folders: DuckDB reads their files in place, also while a run is being written. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type DuckDBConnection, DuckDBInstance, type JS } from "@duckdb/node-api";
import { LseError } from "../errors.js";

/** The views, with what each says a row is. */
export const VIEWS = {
  runs: "a run: its task, method, models, seed, and why it stopped",
  nodes: "a version of the instructions",
  rounds: "a round: which node was chosen to be edited",
  edits: "an attempt at an edit, its kind where rounds draw one; rejected is null where it was adopted",
  answers:
    "an answer: its phase (batch, gate, holdout or test), score, SQL or letter, error, tokens, confidence, examples",
  readings: "a response that was looked at, each once: the answer in it, and why it cannot be used, or null",
  usage: "tokens by phase: batch, gate, holdout, test, edit",
} as const;

export type View = keyof typeof VIEWS;

/**
 * The fields of events.jsonl that views use. What a line does not have is null, and a line that is just being written
 * is left out.
 */
const EVENT_COLUMNS = {
  type: "VARCHAR",
  node: "INTEGER",
  parent: "INTEGER",
  phase: "VARCHAR",
  round: "INTEGER",
  problem: "VARCHAR",
  sample: "INTEGER",
  outcome: "STRUCT(score DOUBLE, correct BOOLEAN, answer VARCHAR, error VARCHAR)",
  promptTokens: "BIGINT",
  tokens: "JSON",
  completions: "INTEGER",
  confidence: "DOUBLE",
  repaired: "BOOLEAN",
  examples: "VARCHAR[]",
  reading: "STRUCT(answer VARCHAR, failure VARCHAR)",
  selected: "INTEGER",
  attempt: "INTEGER",
  kind: "VARCHAR",
  rejected: "VARCHAR",
  score: "DOUBLE",
  // What version 0.1 called a node's score; an object in the events of a reward server.
  reward: "JSON",
  standardError: "DOUBLE",
  instructions: "VARCHAR",
  best: "INTEGER",
  reason: "VARCHAR",
  model: "VARCHAR",
  evolver: "VARCHAR",
  mean: "DOUBLE",
  low: "DOUBLE",
  high: "DOUBLE",
  problems: "INTEGER",
};

const NODE_COLUMNS = "STRUCT(id INTEGER, depth INTEGER, visits INTEGER, instructions VARCHAR)[]";

/** Run folders as views of DuckDB. */
export class RunQuery implements AsyncDisposable {
  /**
   * @param folders of runs
   * @throws LseError for a folder without a run's files, or with files that cannot be read
   */
  static async open(folders: readonly string[]): Promise<RunQuery> {
    const instance = await DuckDBInstance.create(":memory:");
    const connection = await instance.connect();
    const opened = new RunQuery(instance, connection);
    try {
      for (const statement of viewsOver(folders)) await connection.run(statement);
      return opened;
    } catch (cause) {
      await opened[Symbol.asyncDispose]();
      if (cause instanceof LseError) throw cause;
      throw new LseError(
        `${folders.join(", ")}: cannot be read (${(cause as Error).message})`,
        "Check the files of these runs and their permissions",
        { cause },
      );
    }
  }

  private constructor(
    private readonly instance: DuckDBInstance,
    private readonly connection: DuckDBConnection,
  ) {}

  /** @throws LseError with DuckDB's own words for a statement that fails */
  async rows(sql: string): Promise<{ columns: string[]; rows: JS[][] }> {
    try {
      const reader = await this.connection.runAndReadAll(sql);
      return { columns: reader.deduplicatedColumnNames(), rows: reader.getRowsJS() };
    } catch (cause) {
      throw new LseError(
        (cause as Error).message,
        `The views are ${Object.keys(VIEWS).join(", ")}; DESCRIBE one to see its columns`,
        { cause },
      );
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.connection.closeSync();
    this.instance.closeSync();
  }
}

function viewsOver(folders: readonly string[]): string[] {
  const files = (name: string) => {
    const found = folders.map((folder) => join(folder, name)).filter((path) => existsSync(path));
    return found.length === 0 ? null : `[${found.map(quoted)}]`;
  };
  const events = files("events.jsonl");
  const configs = files("config.json");
  if (events === null || configs === null)
    throw new LseError(
      `${folders.join(", ")}: no events.jsonl here yet`,
      "Give the folder of a run that has begun",
    );
  const columns = (types: object) =>
    `{${Object.entries(types).map(([name, type]) => `${name}: ${quoted(type)}`)}}`;
  const source = (list: string, types: object, more = "") =>
    `read_json(${list}, columns = ${columns(types)}, filename = true${more})`;
  const run = (name: string) => `left(filename, length(filename) - ${name.length + 1}) AS run`;
  const trees = files("tree.json");
  return [
    `CREATE VIEW events AS SELECT ${run("events.jsonl")}, * EXCLUDE (filename)
     FROM ${source(events, EVENT_COLUMNS, ", format = 'newline_delimited', ignore_errors = true")}`,
    `CREATE VIEW configs AS SELECT ${run("config.json")}, * EXCLUDE (filename)
     FROM ${source(configs, { task: "JSON", model: "JSON", evolver: "JSON", evolve: "JSON" })}`,
    trees === null
      ? "CREATE VIEW texts AS SELECT NULL::VARCHAR AS run, NULL::INTEGER AS node, NULL::INTEGER AS depth, NULL::INTEGER AS visits, NULL::VARCHAR AS instructions WHERE false"
      : `CREATE VIEW texts AS SELECT run, unnest.id AS node, unnest.depth AS depth, unnest.visits AS visits, unnest.instructions AS instructions
         FROM (SELECT ${run("tree.json")}, nodes FROM ${source(trees, { nodes: NODE_COLUMNS })}), unnest(nodes) AS t(unnest)`,
    `CREATE VIEW runs AS SELECT c.run, c.task->>'name' AS task, c.task->>'db' AS database, c.evolve->>'method' AS method,
       (c.evolve->>'seed')::BIGINT AS seed, c.model->>'path' AS model, c.evolver->>'model' AS evolver,
       c.evolver->>'adapter' AS adapter, d.best, t.mean AS test, t.low AS test_low, t.high AS test_high,
       d.reason AS stop_reason
     FROM configs c LEFT JOIN (FROM events WHERE type = 'done') d USING (run)
     LEFT JOIN (FROM events WHERE type = 'test') t USING (run)`,
    `CREATE VIEW nodes AS SELECT e.run, e.node, e.parent, e.round, t.depth, t.visits,
       coalesce(r.score, r.reward::DOUBLE, e.score, e.reward::DOUBLE) AS score,
       coalesce(r.standardError, e.standardError) AS standard_error,
       coalesce(e.instructions, t.instructions) AS instructions
     FROM events e LEFT JOIN texts t USING (run, node)
     LEFT JOIN (FROM events WHERE type = 'refined') r USING (run, node) WHERE e.type = 'node'`,
    "CREATE VIEW rounds AS SELECT run, round, selected FROM events WHERE type = 'round'",
    `CREATE VIEW edits AS SELECT run, round, parent, attempt, kind, rejected, promptTokens AS prompt_tokens, tokens::BIGINT AS tokens
     FROM events WHERE type = 'edit'`,
    `CREATE VIEW answers AS SELECT run, node, phase, round, problem, sample, outcome.score AS score,
       outcome.correct AS correct, outcome.answer AS answer, outcome.error AS error, promptTokens AS prompt_tokens,
       tokens::BIGINT AS tokens, coalesce(completions, 1) AS completions, confidence,
       coalesce(repaired, false) AS repaired, coalesce(examples, []) AS examples
     FROM events WHERE type = 'answer'`,
    `CREATE VIEW readings AS SELECT run, problem, reading.answer AS answer, reading.failure AS failure
     FROM events WHERE type = 'reading'`,
    `CREATE VIEW usage AS SELECT run, phase, sum(completions)::BIGINT AS completions,
       sum(prompt_tokens) AS prompt_tokens, sum(tokens) AS tokens
     FROM (SELECT run, phase, completions, prompt_tokens, tokens FROM answers
           UNION ALL SELECT run, 'edit', 1, prompt_tokens, tokens FROM edits) GROUP BY ALL ORDER BY run, phase`,
  ];
}

const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`;

/** Reads `questions.yaml` and adds questions to it. */
import { existsSync } from "node:fs";
import { type Alias, type Document, isScalar, isSeq, LineCounter, parseDocument, visit } from "yaml";
import { z } from "zod";
import { LseError } from "../errors.js";
import { replaceFile } from "../lib/files.js";
import { hashJson } from "../lib/hash.js";
import { readTextFile } from "../lib/text-file.js";
import { rowsAsSql } from "./row-gold.js";

/** A question of a workspace, with the rows or the query that answers are compared with. */
export interface WorkspaceQuestion {
  /** Depends on question and evidence alone: it stays when other questions are added or its gold query is corrected. */
  readonly id: string;
  readonly question: string;
  /** Hints; empty for none. */
  readonly evidence: string;
  /** The query whose rows are right. */
  readonly sql: string;
  /** Whether rows were given instead of a query; then `sql` only returns these rows. */
  readonly isRows: boolean;
  /** Its line in the file, from 1. */
  readonly line: number;
}

const value = z.union([z.null(), z.boolean(), z.bigint(), z.number(), z.string()], {
  error: "a value is a number, a text, true, false or null",
});

const entrySchema = z
  .strictObject({
    question: z.string().trim().min(1, "the question is empty"),
    sql: z.string().trim().min(1, "the SQL is empty").optional(),
    rows: z
      .array(z.array(value, "each row is a list such as [12, Paris]"), "rows are a list of lists")
      .optional(),
    evidence: z.string().trim().optional(),
  })
  .refine(({ sql, rows }) => (sql === undefined) !== (rows === undefined), "give either sql or rows")
  .refine(({ rows = [] }) => rows.every(({ length }) => length > 0 && length === rows[0]?.length), {
    path: ["rows"],
    error: "all rows must have the same number of values, at least one",
  });

/** What `put` did. */
export type Put = "added" | "replaced" | "known";

/** `questions.yaml`: read with the lines of its entries, and extended without touching the user's comments. */
export class QuestionFile {
  readonly #lines = new LineCounter();
  readonly #document: Document.Parsed;
  readonly questions: readonly WorkspaceQuestion[];

  /** @throws LseError naming the line, and the field where there is one */
  constructor(readonly path: string) {
    if (!existsSync(path))
      throw new LseError(`${path}: no such file`, "Write it, or make the workspace again with `lse init`");
    // In YAML 1.1, which a file may ask for, NO and 2024-01-02 would be no texts.
    this.#document = parseDocument(readTextFile(path).replace(/\r\n?/g, "\n"), {
      lineCounter: this.#lines,
      intAsBigInt: true,
      schema: "core",
    });
    const [error] = this.#document.errors;
    if (error !== undefined) {
      const why =
        error.code === "MULTIPLE_DOCS"
          ? "a second document begins here"
          : error.message.replace(/ at line \d+, column \d+:[\s\S]*$/, "");
      throw new LseError(
        `${path}: line ${error.linePos?.[0].line ?? 1}: ${why}`,
        'Put texts that contain ": " or " #" in quotes, and indent with spaces',
      );
    }
    this.questions = this.#read();
  }

  /**
   * Adds a question with its query, or replaces the query of a question that is in the file already.
   * @returns what was done; "known" if the file had both already
   */
  put(question: string, evidence: string, sql: string): Put {
    const id = questionId(question, evidence);
    const at = this.questions.findIndex((known) => known.id === id);
    const known = this.questions[at];
    if (known !== undefined && !known.isRows && known.sql === sql.trim()) return "known";
    if (known === undefined) {
      const entry = { question, ...(evidence === "" ? {} : { evidence }), sql };
      if (isSeq(this.#document.contents)) this.#document.addIn([], this.#document.createNode(entry));
      else
        this.#document.contents = this.#document.createNode([
          entry,
        ]) as unknown as Document.Parsed["contents"];
    } else {
      this.#document.deleteIn([at, "rows"]);
      this.#document.deleteIn([at, "sql"]);
      this.#document.setIn([at, "sql"], this.#document.createNode(sql));
    }
    replaceFile(this.path, this.#document.toString({ lineWidth: 0 }));
    return known === undefined ? "added" : "replaced";
  }

  #read(): WorkspaceQuestion[] {
    const entries = this.#values() ?? [];
    if (!Array.isArray(entries))
      throw new LseError(`${this.path}: not a list of questions`, 'Begin each question with "- question:"');
    const seen = new Map<string, number>();
    return entries.map((entry: unknown, index) => {
      const line = this.#lineOf([index]);
      const parsed = entrySchema.safeParse(this.#withTexts(entry, index));
      if (!parsed.success) {
        const [issue] = parsed.error.issues;
        const path = issue?.path ?? [];
        const field = path[0] === undefined ? "" : `field ${String(path[0])}: `;
        throw new LseError(
          `${this.path}: line ${this.#lineOf([index, ...path])}: question ${index + 1}: ${field}${issue?.message}`,
          "A question has the fields question, sql or rows, and evidence if there are hints",
        );
      }
      const { question, sql, rows = [], evidence = "" } = parsed.data;
      const id = questionId(question, evidence);
      const first = seen.get(id);
      if (first !== undefined)
        throw new LseError(
          `${this.path}: line ${line}: question ${index + 1} repeats the question of line ${first}`,
          "Delete one of them",
        );
      seen.set(id, line);
      return { id, question, evidence, sql: sql ?? rowsAsSql(rows), isRows: sql === undefined, line };
    });
  }

  /**
   * An entry with texts as the file has them where YAML sees a number, true or false: in the fields that are texts, and
   * for numbers with zeros in front in the rows, which are codes.
   */
  #withTexts(entry: unknown, index: number): unknown {
    if (typeof entry !== "object" || entry === null) return entry;
    const sourceOf = (...path: readonly PropertyKey[]) => {
      const node = this.#document.getIn([index, ...path], true);
      return isScalar(node) && typeof node.value !== "string" ? node.source : undefined;
    };
    return Object.fromEntries(
      Object.entries(entry).map(([name, own]) => {
        if (name === "evidence" && own === null) return [name, ""];
        if (name !== "rows") return [name, own === null ? own : (sourceOf(name) ?? own)];
        if (!Array.isArray(own)) return [name, own];
        const code = (row: number, column: number) =>
          /^[-+]?0\d/.exec(sourceOf(name, row, column) ?? "")?.input;
        const rows = own.map((row: unknown, r) =>
          Array.isArray(row) ? row.map((each: unknown, c) => code(r, c) ?? each) : row,
        );
        return [name, rows];
      }),
    );
  }

  /** @throws LseError for unknown references; a text that begins with an asterisk looks like one */
  #values(): unknown {
    try {
      return this.#document.toJS();
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new LseError(
        `${this.path}: line ${this.#lineOfAlias()}: ${why}`,
        "Put texts that begin with * in quotes",
        { cause },
      );
    }
  }

  /** The line of the first reference that is unknown, or else of the first. */
  #lineOfAlias(): number {
    const aliases: Alias[] = [];
    visit(this.#document, { Alias: (_, node) => void aliases.push(node) });
    const unknown = aliases.find((node) => node.resolve(this.#document) === undefined) ?? aliases[0];
    return this.#lines.linePos(unknown?.range?.[0] ?? 0).line;
  }

  /** The line of a node, or of the node around it if it is missing. */
  #lineOf(path: readonly PropertyKey[]): number {
    for (let depth = path.length; depth > 0; depth--) {
      const node = this.#document.getIn(path.slice(0, depth), true) as
        | { range?: readonly number[] }
        | undefined;
      if (node?.range?.[0] !== undefined) return this.#lines.linePos(node.range[0]).line;
    }
    return 1;
  }
}

/** Names a question by its words, whatever their case and spacing. */
export function questionId(question: string, evidence: string): string {
  const plain = (text: string) => text.replace(/\s+/g, " ").trim().toLowerCase();
  return hashJson([plain(question), plain(evidence)]).slice(0, 12);
}

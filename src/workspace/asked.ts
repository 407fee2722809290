/** The log `asked.jsonl`: the questions that were asked, and feedback on the answers. */
import { appendFileSync } from "node:fs";
import { z } from "zod";
import { LseError } from "../errors.js";
import { checked, parseJson } from "../lib/json-file.js";
import { type LogFormat, mendLog, readLog } from "../lib/json-lines.js";

const askedSchema = z.strictObject({
  type: z.literal("asked"),
  id: z.int().min(1),
  /** ISO 8601. */
  at: z.string(),
  question: z.string(),
  evidence: z.string(),
  sql: z.string(),
  /** Why there are no rows. */
  error: z.string().nullable(),
  rows: z.int().nullable(),
  /** Hash of the instructions it was answered with. */
  manual: z.string(),
  // What follows is missing in logs of version 0.2.
  /** All that the model said. */
  response: z.string().optional(),
  /** Solved questions that it was shown. */
  examples: z.array(z.string()).optional(),
  /** Queries before this one that were given back to it, and why. */
  repaired: z.array(z.strictObject({ sql: z.string(), error: z.string() })).optional(),
  /** How many answers were drawn, if more than one, and the share of them with the same result. */
  draws: z.int().optional(),
  confidence: z.number().optional(),
  /** A query of the next most frequent result. */
  other: z.strictObject({ sql: z.string(), share: z.number() }).optional(),
});

const feedbackSchema = z.strictObject({
  type: z.literal("feedback"),
  id: z.int().min(1),
  at: z.string(),
  verdict: z.enum(["right", "wrong"]),
  /** The right query; null if nobody has given it yet. */
  sql: z.string().nullable(),
});

const lineSchema = z.discriminatedUnion("type", [askedSchema, feedbackSchema]);

const FORMAT: LogFormat = {
  what: "a log of questions",
  begins: ['{"type":"asked","id":', '{"type":"feedback","at":'],
  isRecord: (value) => lineSchema.safeParse(value).success,
};

export type AskedQuestion = z.infer<typeof askedSchema>;
export type Feedback = z.infer<typeof feedbackSchema>;

/** `asked.jsonl`: what was asked, and feedback on the answers. Lines are only ever appended. */
export class AskedLog {
  readonly questions: AskedQuestion[] = [];
  readonly feedback: Feedback[] = [];

  /** @throws LseError naming a line that cannot be read */
  constructor(readonly path: string) {
    const log = readLog(path, FORMAT);
    for (const [i, line] of log.lines.entries()) {
      const origin = `${path}: line ${i + 1}`;
      const next = "Restore the file from a copy, or delete that line";
      const entry = checked(lineSchema, parseJson(line.toString(), origin), origin, next);
      if (entry.type === "asked") this.questions.push(entry);
      else this.feedback.push(entry);
    }
    mendLog(path, log);
  }

  ask(entry: Omit<AskedQuestion, "type" | "id" | "at">): AskedQuestion {
    const id = (this.questions.at(-1)?.id ?? 0) + 1;
    const asked: AskedQuestion = { type: "asked", id, at: new Date().toISOString(), ...entry };
    this.#append(asked);
    this.questions.push(asked);
    return asked;
  }

  say(entry: Omit<Feedback, "type" | "at">): void {
    const feedback: Feedback = { type: "feedback", at: new Date().toISOString(), ...entry };
    this.#append(feedback);
    this.feedback.push(feedback);
  }

  /** @param id defaults to the last question. @throws LseError if there is no such question */
  find(id?: number): AskedQuestion {
    const found = id === undefined ? this.questions.at(-1) : this.questions.find((asked) => asked.id === id);
    if (found !== undefined) return found;
    throw new LseError(
      id === undefined
        ? `${this.path}: no question has been asked yet`
        : `${this.path}: no question has the number ${id}`,
      id === undefined
        ? "Ask first: lse ask <folder> <question>"
        : `Set \`id\` to a number from 1 to ${this.questions.length}`,
    );
  }

  #append(entry: AskedQuestion | Feedback): void {
    try {
      appendFileSync(this.path, `${JSON.stringify(entry)}\n`);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new LseError(
        `${this.path}: cannot write (${why})`,
        "Free some disk space, or check the permissions of the file",
        {
          cause,
        },
      );
    }
  }
}

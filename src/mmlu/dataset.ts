/** Reads the rows of a subject as questions with choices and a right letter. */
import { z } from "zod";
import { LseError } from "../errors.js";
import { findSubject } from "./folders.js";
import { GOLD_RULES, type GoldRules, goldLetter, MOST_CHOICES } from "./gold.js";
import { readTable, type TableRow } from "./tables.js";

/** A question of MMLU-Redux or of a set in its form. */
export interface MmluQuestion {
  /** Its number among the rows that are kept, from 0: the index of the published code. */
  readonly id: string;
  readonly question: string;
  readonly choices: readonly string[];
  /** The letter of the right choice. */
  readonly gold: string;
}

/** The questions of a subject. */
export interface MmluSubject {
  readonly subject: string;
  readonly questions: readonly MmluQuestion[];
  /** Rows left out because none of their choices is right. */
  readonly dropped: number;
}

const label = z.union([z.int(), z.string()], { error: "neither a whole number nor text" });

const rowSchema = z.object({
  question: z.string().min(1),
  choices: z.array(z.string()).min(2).max(MOST_CHOICES),
  answer: label,
  error_type: z.string().nullish(),
  correct_answer: label.nullish(),
});

/** The error type that annotators give a question without a right choice. */
const NO_ANSWER = "no_correct_answer";

/**
 * Reads one subject of MMLU-Redux 2.0, or of a set in its form: MMLU-Pro-Redux, SuperGPQA by field or subfield. Rows
 * without a right choice are left out; those with other errors stay.
 * @param dataPath a folder of subjects, the folder of one, or a file (folders.ts)
 * @throws LseError naming file, row and field of what is missing or malformed
 */
export async function readSubject(
  dataPath: string,
  subject: string | undefined,
  rules: GoldRules,
): Promise<MmluSubject> {
  const { subject: name, paths, stated } = findSubject(dataPath, subject);
  const tables = await Promise.all(paths.map(readTable));
  const count = tables.reduce((sum, rows) => sum + rows.length, 0);
  if (stated !== null && stated.rows !== count) {
    throw new LseError(
      `${stated.path}: states ${stated.rows} rows, but the files have ${count}`,
      "Download the folder again; if rows were removed on purpose, remove `splits` from that file",
    );
  }
  const kept = tables.flatMap((rows, file) =>
    rows.flatMap((row, index) => questionOf(row, `${paths[file]}: row ${index}`, rules) ?? []),
  );
  if (kept.length === 0)
    throw new LseError(
      `${paths[0]}: has no question with a right choice`,
      "Choose another subject with `task.db`, or another folder with `task.data`",
    );
  return {
    subject: name,
    questions: kept.map((question, id) => ({ id: String(id), ...question })),
    dropped: count - kept.length,
  };
}

/** @returns null for a row without a right choice */
function questionOf(raw: TableRow, origin: string, rules: GoldRules): Omit<MmluQuestion, "id"> | null {
  const parsed = rowSchema.safeParse(raw);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new LseError(
      `${origin}: field ${issue?.path.join(".") || "(whole row)"}: ${issue?.message}`,
      "options" in raw
        ? "This is MMLU-Pro or SuperGPQA as published: convert it to MMLU-Redux's form with `npm run convert-mmlu-pro` or `npm run convert-supergpqa`"
        : "Rows have question, choices and answer, and may have error_type and correct_answer",
    );
  }
  const { question, choices: all, answer, error_type, correct_answer = null } = parsed.data;
  if (error_type === NO_ANSWER) return null;
  const choices = all.slice(0, GOLD_RULES[rules].mostChoices);
  const gold = goldLetter(correct_answer, answer, choices.length, rules);
  if (gold === null) {
    throw new LseError(
      `${origin}: field answer: ${JSON.stringify(answer)} is none of the ${choices.length} choices`,
      `Correct that row, or mark it with the error_type ${NO_ANSWER}`,
    );
  }
  return { question, choices, gold };
}

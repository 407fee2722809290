/** How models are asked about the database of a workspace, and how their answers are read. */
import { WORKSPACE_STRATEGY } from "../answer/strategy.js";
import {
  birdReport,
  birdSystemPrompt,
  type Dialect,
  type QuestionText,
  type SqlPromptParts,
  seedInstructions,
  sqlPromptParts,
  userPrompt,
} from "../bird/prompts.js";
import type { SqlEngine } from "../bird/sql/executor.js";
import { extractTag } from "../lib/extract.js";
import { actPrompt, evolverPrompt, miniReport, miniSystemPrompt } from "../mini/prompts.js";
import { NO_RULES, parseRules, rulesText } from "../mini/rules.js";
import type { ChatMessage } from "../model.js";
import { isRemote } from "../runtime/remote/names.js";
import type { Outcome } from "../task.js";
import { queryOf } from "./answer.js";
import type { Prompts } from "./folder.js";
import type { WorkspaceQuestion } from "./questions.js";
import { type RuleUnit, ruleUnits } from "./rule-units.js";

/** What a model reads, and how its answer is read. */
export interface PromptForm {
  readonly seedInstructions: string;
  /** What strategies make prompts of; undefined for models that know one kind of prompt alone. */
  readonly parts: SqlPromptParts | undefined;
  systemPrompt(schema: string, instructions: string): string;
  prompt(schema: string, question: QuestionText, instructions: string): ChatMessage[];
  /** The query in a response; empty if there is none. */
  answerOf(response: string): string;
  /** One answered question as the evolver sees it. */
  report(question: WorkspaceQuestion, outcome: Outcome): string;
  /** As `Task` has it. */
  readonly evolverPrompt: ((instructions: string, reports: readonly string[]) => string) | undefined;
  rules(instructions: string): RuleUnit[];
  /** Whether all rules are in one line. */
  readonly isOneLine: boolean;
  /** Settings of runs that differ from the paper's. @param model path, or name at a service */
  settings(model: unknown): { readonly sampling: object } & Readonly<Record<string, unknown>>;
}

export const formOf = (prompts: Prompts, engine: SqlEngine): PromptForm =>
  prompts === "mini" ? MINI : sqlForm(engine === "duckdb" ? "DuckDB" : "SQLite");

/** BIRD's prompts, for the dialect of the engine. */
const sqlForm = (dialect: Dialect): PromptForm => ({
  seedInstructions: seedInstructions(dialect),
  parts: sqlPromptParts(dialect),
  systemPrompt: (schema, instructions) => birdSystemPrompt(schema, instructions, dialect),
  prompt: (schema, question, instructions) => [
    { role: "system", content: birdSystemPrompt(schema, instructions, dialect) },
    { role: "user", content: userPrompt(question, instructions, dialect) },
  ],
  answerOf: queryOf,
  report: (question, outcome) =>
    birdReport(
      question,
      question.isRows ? `Correct rows: ${question.sql}` : `Correct SQL: ${question.sql}`,
      outcome,
    ),
  evolverPrompt: undefined,
  rules: ruleUnits,
  isOneLine: false,
  settings: (model) => ({
    // A service is paid for each answer, and the vote was measured with small models.
    strategy:
      typeof model === "string" && isRemote(model)
        ? { ...WORKSPACE_STRATEGY, samples: 1 }
        : WORKSPACE_STRATEGY,
    // Answers that differ enough to be counted; penalties would keep a query from naming a column twice.
    sampling: { temperature: 0.7, topK: 20, topP: 0.95, presencePenalty: 0 },
  }),
});

/** The prompts that the models of the miniature world were trained on. They answer with the query itself. */
const MINI: PromptForm = {
  seedInstructions: NO_RULES,
  parts: undefined,
  systemPrompt: (schema, instructions) => miniSystemPrompt(inOneLine(schema), instructions),
  prompt: (schema, { question }, instructions) =>
    actPrompt(inOneLine(schema), instructions, asMiniQuestion(question)),
  answerOf: (response) => (extractTag(response, "answer") || response).trim(),
  report: ({ question, sql, isRows }, { answer, correct }) =>
    miniReport(asMiniQuestion(question), answer, isRows ? null : sql, correct),
  evolverPrompt,
  rules: (instructions) => {
    const rules = parseRules(instructions);
    return rules.map((rule) => ({
      text: rulesText([rule]),
      without: rulesText(rules.filter((other) => other !== rule)),
    }));
  },
  isOneLine: true,
  // They were trained without penalties, and do best with their likeliest answers and nearly likeliest edits.
  settings: () => ({
    ucbC: 0.3,
    editTemperature: 0.5,
    sampling: { temperature: 0, topK: 0, topP: 1, presencePenalty: 0, maxTokens: 160 },
  }),
};

/** Without comments, because the models do not know their words. */
const inOneLine = (schema: string) => schema.replace(/--.*$/gm, "").replace(/\s+/g, " ").trim();

/** Words with single spaces between them; the question mark is a word. */
const asMiniQuestion = (question: string) =>
  `${question
    .replace(/\s+/g, " ")
    .replace(/\s*\?\s*$/, "")
    .trim()} ?`;

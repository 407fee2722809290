/** Demonstrations for supervised training: the prompts of the loop, each with the answer to give. */
/*
 * The streams have no end. Each follows from its seed alone, and is made without SQLite.
 */
import type { ChatMessage } from "../model.js";
import type { MiniDatabase } from "./database.js";
import { deltaText, MINI_DELTAS } from "./deltas.js";
import { Draw } from "./draw.js";
import {
  changedRules,
  perfectDelta,
  perfectEdit,
  type RuleChange,
  type Sloppiness,
  sloppyDelta,
  sloppyEdit,
} from "./edits.js";
import { makeDatabase } from "./generator.js";
import { actPrompt, editText, evolverPrompt, miniReport, schemaText } from "./prompts.js";
import { drawQuestion, questionText } from "./questions.js";
import { meanings, type Rule, rulesText } from "./rules.js";
import type { MiniSplit } from "./splits.js";
import { simulatedAnswer } from "./sql.js";
import { rulesInState, type State } from "./states.js";

/** An example for supervised training: a prompt and what is answered to it. */
export interface Demonstration {
  readonly messages: readonly ChatMessage[];
  /** What to answer; the end of the message follows it. */
  readonly completion: string;
}

export interface StreamOptions {
  readonly seed: number;
  /** Which databases. Defaults to "train". */
  readonly split?: MiniSplit;
  /** Demonstrations per prompt or shared part of one. Defaults to 5 for acting and 2 for evolving. */
  readonly group?: number;
}

/** What the edits of demonstrations are: new lists of rules as a whole, or changes of single rules. */
export type MiniEdits = "rewrite" | "delta";

export interface EvolveStreamOptions extends StreamOptions {
  /** Defaults to "rewrite". */
  readonly edits?: MiniEdits;
  /** How careless the demonstrator is; null for a perfect one, which writes one edit only per prompt. */
  readonly sloppiness: Sloppiness | null;
  /** Fewest and most problems of a summary. Defaults to 3 to 6. */
  readonly batch?: readonly [number, number];
}

/** How often instructions are in each state when acting, and when evolving. */
const ACT_STATES: Readonly<Record<State, number>> = { none: 2, half: 0, partial: 4, wrong: 5, complete: 9 };
const EVOLVE_STATES: Readonly<Record<State, number>> = {
  none: 5,
  half: 0,
  partial: 8,
  wrong: 5,
  complete: 2,
};

/** The databases of a stream, each with the generator that draws the rest of its group. */
function* databases(
  { seed, split = "train" }: StreamOptions,
  purpose: string,
): Generator<[MiniDatabase, Draw]> {
  for (let i = 0; ; i++) {
    const draw = new Draw("mini demonstrations", purpose, seed, i);
    yield [makeDatabase({ split, seed: draw.integer(0, 2 ** 30) }), draw];
  }
}

/**
 * Acting: groups of answers that share database and instructions, and so their first message. The target always
 * follows from the rules that are given, true or false; a term without a rule is read as it stands. So a model
 * learns to read its instructions and has nothing to remember.
 */
export function* actDemonstrations(options: StreamOptions): Generator<Demonstration[]> {
  for (const [database, draw] of databases(options, "act")) {
    const rules = rulesInState(database, drawState(ACT_STATES, draw), draw);
    const instructions = rulesText(rules);
    const meaning = meanings(rules);
    yield Array.from({ length: options.group ?? 5 }, () => {
      const question = drawQuestion(database, draw);
      return {
        messages: actPrompt(schemaText(database), instructions, questionText(question)),
        completion: simulatedAnswer(question, meaning),
      };
    });
  }
}

/** How edits of one kind are asked for and shown. */
interface EditDemonstrator {
  prompt(instructions: string, reports: readonly string[]): string;
  /** The completion; null where nothing would change and such an edit has no words for that. */
  perfect(...given: Parameters<typeof perfectEdit>): string | null;
  sloppy(...given: Parameters<typeof sloppyEdit>): string | null;
}

const DEMONSTRATORS: Readonly<Record<MiniEdits, EditDemonstrator>> = {
  rewrite: {
    prompt: evolverPrompt,
    perfect: (...given) => editText(rulesText(perfectEdit(...given))),
    sloppy: (...given) => editText(rulesText(sloppyEdit(...given))),
  },
  delta: {
    prompt: MINI_DELTAS.prompt,
    perfect: (rules, ...given) => deltaIfAny(rules, perfectDelta(rules, ...given)),
    sloppy: (rules, ...given) => deltaIfAny(rules, sloppyDelta(rules, ...given)),
  },
};

const deltaIfAny = (rules: readonly Rule[], changes: readonly RuleChange[]): string | null =>
  rulesText(changedRules(rules, changes)) === rulesText(rules) ? null : deltaText(rules, changes);

/**
 * Evolving: groups of edits of the same prompt. The answers in the summary are those of a perfect policy under
 * the instructions, graded by their text: conditions that differ count as wrong, as they do on the questions of
 * `MiniTask`, which are chosen so. Rewrites and deltas of a seed are about the same databases, rules and batches, but
 * that there is no delta where nothing would change.
 */
export function* evolveDemonstrations(options: EvolveStreamOptions): Generator<Demonstration[]> {
  const { sloppiness, batch: [fewest, most] = [3, 6], edits = "rewrite" } = options;
  const demonstrator = DEMONSTRATORS[edits];
  for (const [database, draw] of databases(options, sloppiness === null ? "clean" : "sloppy")) {
    const rules = rulesInState(database, drawState(EVOLVE_STATES, draw), draw);
    const batch = simulatedBatch(database, rules, draw.integer(fewest, most), draw);
    const reports = batch.map(({ question, answer, gold, correct }) =>
      miniReport(questionText(question), answer, gold, correct),
    );
    const messages: ChatMessage[] = [
      { role: "user", content: demonstrator.prompt(rulesText(rules), reports) },
    ];
    const edit = () =>
      sloppiness === null
        ? demonstrator.perfect(rules, batch, database.conventions)
        : demonstrator.sloppy(rules, batch, database.conventions, { draw, sloppiness });
    const written = Array.from({ length: sloppiness === null ? 1 : (options.group ?? 2) }, edit);
    const completions = written.filter((completion) => completion !== null);
    if (completions.length > 0) yield completions.map((completion) => ({ messages, completion }));
  }
}

/** Different questions, answered as a perfect policy would under the given rules. */
export function simulatedBatch(database: MiniDatabase, rules: readonly Rule[], size: number, draw: Draw) {
  const truth = meanings(database.conventions);
  const given = meanings(rules);
  const batch = new Map<string, ReturnType<typeof solved>>();
  const solved = (question: ReturnType<typeof drawQuestion>) => {
    const answer = simulatedAnswer(question, given);
    const gold = simulatedAnswer(question, truth);
    return { question, answer, gold, correct: answer === gold };
  };
  while (batch.size < size) {
    const question = drawQuestion(database, draw);
    batch.set(questionText(question), solved(question));
  }
  return [...batch.values()];
}

function drawState(weights: Readonly<Record<State, number>>, draw: Draw): State {
  const states = Object.keys(weights) as State[];
  return states[draw.weighted(Object.values(weights))] as State;
}

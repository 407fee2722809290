/** The two demonstrators of editing, a perfect reader of a batch and a careless one: whole lists of rules, or what changes. */
import type { Draw } from "./draw.js";
import { type Question, termsOf } from "./questions.js";
import { meanings, type Rule } from "./rules.js";

/** A question with its grade, which an edit learns from. */
export interface EditFeedback {
  readonly question: Question;
  readonly correct: boolean;
}

/** What becomes of one rule: its term means this from now on, or nothing (null). */
export interface RuleChange {
  readonly term: string;
  readonly meaning: string | null;
}

/**
 * What the wrong answers of a batch teach a perfect reader: the true meaning of every term in them whose rule
 * is missing or wrong, in the order of the batch.
 */
export function perfectDelta(
  rules: readonly Rule[],
  batch: readonly EditFeedback[],
  truth: readonly Rule[],
): RuleChange[] {
  const current = meanings(rules);
  const right = meanings(truth);
  const terms = batch.filter(({ correct }) => !correct).flatMap(({ question }) => termsOf(question));
  return [...new Set(terms)]
    .filter((term) => current.get(term) !== right.get(term))
    .map((term) => ({ term, meaning: right.get(term) ?? null }));
}

/** Rules after changes: a wrong rule is corrected or removed where it stands, a new one comes last. */
export function changedRules(rules: readonly Rule[], changes: readonly RuleChange[]): Rule[] {
  const result = meanings(rules);
  for (const { term, meaning } of changes) {
    if (meaning === null) result.delete(term);
    else result.set(term, meaning);
  }
  return Array.from(result, ([term, meaning]) => ({ term, meaning }));
}

/**
 * What a perfect reader of the batch's summary would write: every rule that it shows to be missing or wrong is
 * corrected, and nothing else changes. Evolvers are measured by it, and learn from it as the clean demonstrator.
 */
export function perfectEdit(
  rules: readonly Rule[],
  batch: readonly EditFeedback[],
  truth: readonly Rule[],
): Rule[] {
  return changedRules(rules, perfectDelta(rules, batch, truth));
}

/** Probabilities of the sloppy demonstrator's mistakes, each drawn independently. */
export interface Sloppiness {
  /** It corrects only the first finding. */
  readonly firstOnly: number;
  /** It forgets one of the old rules. */
  readonly dropOne: number;
  /** It forgets half of the old rules. */
  readonly dropHalf: number;
  /** It gives one finding's meaning to another term of the batch. */
  readonly misattribute: number;
  /** It writes one of its rules twice. */
  readonly pad: number;
}

/**
 * As in the feasibility run, where reinforcement learning found enough to improve, and a little worse: a sloppy
 * edit of a perfect policy's batch is to gain less than half of what a perfect one gains.
 */
export const SLOPPINESS: Sloppiness = {
  firstOnly: 0.6,
  dropOne: 0.3,
  dropHalf: 0.25,
  misattribute: 0.1,
  pad: 0.15,
};

/** How careless a demonstrator is; `SLOPPINESS` if it is left out. */
interface Carelessness {
  readonly draw: Draw;
  readonly sloppiness?: Sloppiness;
}

/** What a careless reader would write: an edit that helps on average, and much less than it could. */
export function sloppyEdit(
  rules: readonly Rule[],
  batch: readonly EditFeedback[],
  truth: readonly Rule[],
  { draw, sloppiness = SLOPPINESS }: Carelessness,
): Rule[] {
  const findings = sloppyFindings(rules, batch, truth, { draw, sloppiness });
  let kept = [...rules];
  if (kept.length > 0 && draw.chance(sloppiness.dropOne)) kept = without(kept, 1, draw);
  if (kept.length > 1 && draw.chance(sloppiness.dropHalf))
    kept = without(kept, Math.ceil(kept.length / 2), draw);
  const result = changedRules(kept, findings);
  return result.length > 0 && draw.chance(sloppiness.pad) ? [...result, draw.pick(result)] : result;
}

/**
 * What the same reader would write as changes. It makes the same mistakes as far as changes allow them: an old rule is
 * not forgotten by leaving it out, so it forgets none but deletes one (`dropOne`, not `dropHalf`), and what it writes
 * twice is a change. Nothing where all answers were right: it is not asked then.
 */
export function sloppyDelta(
  rules: readonly Rule[],
  batch: readonly EditFeedback[],
  truth: readonly Rule[],
  { draw, sloppiness = SLOPPINESS }: Carelessness,
): RuleChange[] {
  const changes = sloppyFindings(rules, batch, truth, { draw, sloppiness });
  if (changes.length === 0) return [];
  const others = rules.filter(({ term }) => changes.every((change) => change.term !== term));
  if (others.length > 0 && draw.chance(sloppiness.dropOne))
    changes.push({ term: draw.pick(others).term, meaning: null });
  return draw.chance(sloppiness.pad) ? [...changes, draw.pick(changes)] : changes;
}

/** What a careless reader takes a batch to teach. */
function sloppyFindings(
  rules: readonly Rule[],
  batch: readonly EditFeedback[],
  truth: readonly Rule[],
  { draw, sloppiness }: Required<Carelessness>,
): RuleChange[] {
  let findings = perfectDelta(rules, batch, truth);
  if (draw.chance(sloppiness.firstOnly)) findings = findings.slice(0, 1);
  return draw.chance(sloppiness.misattribute) ? misattributed(findings, batch, draw) : findings;
}

function misattributed(
  findings: readonly RuleChange[],
  batch: readonly EditFeedback[],
  draw: Draw,
): RuleChange[] {
  const victim = findings.find(({ meaning }) => meaning !== null);
  const known = new Set(findings.map(({ term }) => term));
  const terms = batch.flatMap(({ question }) => termsOf(question)).filter((term) => !known.has(term));
  if (victim === undefined || terms.length === 0) return [...findings];
  const term = draw.pick(terms);
  return findings.map((finding) => (finding === victim ? { ...finding, term } : finding));
}

function without(rules: readonly Rule[], count: number, draw: Draw): Rule[] {
  const gone = new Set(draw.sample(rules, count));
  return rules.filter((rule) => !gone.has(rule));
}

/** The two demonstrators of editing: a perfect reader of a batch, and a careless one. */
import type { Draw } from "./draw.js";
import { type Question, termsOf } from "./questions.js";
import { meanings, type Rule } from "./rules.js";

/** A question with its grade, which an edit learns from. */
export interface EditFeedback {
  readonly question: Question;
  readonly correct: boolean;
}

/** A fact that a batch brings to light: a term's true meaning, or that it has none (null). */
interface Finding {
  readonly term: string;
  readonly meaning: string | null;
}

/**
 * What the wrong answers of a batch teach a perfect reader: the true meaning of every term in them whose rule
 * is missing or wrong, in the order of the batch.
 */
function findingsOf(
  rules: readonly Rule[],
  batch: readonly EditFeedback[],
  truth: readonly Rule[],
): Finding[] {
  const current = meanings(rules);
  const right = meanings(truth);
  const terms = batch.filter(({ correct }) => !correct).flatMap(({ question }) => termsOf(question));
  return [...new Set(terms)]
    .filter((term) => current.get(term) !== right.get(term))
    .map((term) => ({ term, meaning: right.get(term) ?? null }));
}

/** Rules after findings: a wrong rule is corrected or removed where it stands, a new one comes last. */
function applied(rules: readonly Rule[], findings: readonly Finding[]): Rule[] {
  const result = meanings(rules);
  for (const { term, meaning } of findings) {
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
  return applied(rules, findingsOf(rules, batch, truth));
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

/** What a careless reader would write: an edit that helps on average, and much less than it could. */
export function sloppyEdit(
  rules: readonly Rule[],
  batch: readonly EditFeedback[],
  truth: readonly Rule[],
  { draw, sloppiness = SLOPPINESS }: { readonly draw: Draw; readonly sloppiness?: Sloppiness },
): Rule[] {
  let findings = findingsOf(rules, batch, truth);
  if (draw.chance(sloppiness.firstOnly)) findings = findings.slice(0, 1);
  if (draw.chance(sloppiness.misattribute)) findings = misattributed(findings, batch, draw);
  let kept = [...rules];
  if (kept.length > 0 && draw.chance(sloppiness.dropOne)) kept = without(kept, 1, draw);
  if (kept.length > 1 && draw.chance(sloppiness.dropHalf))
    kept = without(kept, Math.ceil(kept.length / 2), draw);
  const result = applied(kept, findings);
  return result.length > 0 && draw.chance(sloppiness.pad) ? [...result, draw.pick(result)] : result;
}

function misattributed(findings: readonly Finding[], batch: readonly EditFeedback[], draw: Draw): Finding[] {
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

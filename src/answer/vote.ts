/** Chooses one of several answers to a question. */
import type { Reading } from "../task.js";
import type { Strategy } from "./strategy.js";

/** What a vote needs to know of an answer. */
export type Ballot = Pick<Reading, "answer" | "result">;

/** Answers with the same result, and how many there are. */
export interface Group {
  /** Index of the answer that stands for the group: its shortest, and of these the first. */
  readonly shown: number;
  readonly size: number;
}

/** What came of a vote. */
export interface Choice {
  /** Index of the answer that is taken; the first one if none can be used. */
  readonly chosen: number;
  /** Share of all answers that have the result of the chosen one; 0 if none can be used. */
  readonly confidence: number;
  /** Results by how many answers have them, the largest group first. Answers that cannot be used are in none. */
  readonly groups: readonly Group[];
}

/** The largest group of equal results wins; of equally large ones the one with the shortest answer, then the first. */
export function choose(ballots: readonly Ballot[], vote: Strategy["vote"]): Choice {
  const members = new Map<string, number[]>();
  for (const [i, { result }] of ballots.entries())
    if (result !== null) members.set(result, [...(members.get(result) ?? []), i]);
  const lengthOf = (i: number) => (ballots[i] as Ballot).answer.length;
  const groups = [...members.values()]
    .map((own) => ({ shown: own.reduce((a, b) => (lengthOf(b) < lengthOf(a) ? b : a)), size: own.length }))
    .sort((a, b) => b.size - a.size || lengthOf(a.shown) - lengthOf(b.shown));
  const first = ballots.find(({ result }) => result !== null);
  const winner = vote === "result" ? groups[0] : undefined;
  const chosen = winner?.shown ?? (first === undefined ? 0 : ballots.indexOf(first));
  const size = groups.length === 0 ? 0 : (members.get(ballots[chosen]?.result as string)?.length ?? 0);
  return { chosen, confidence: size / ballots.length, groups };
}

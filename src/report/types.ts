/** What a page knows of its runs: one JSON document, written by `run-data.ts` and read by `page/`. */
import type { ReliabilityRow } from "../answer/reliability.js";
import type { Comparison } from "../evolve/compare.js";
import type { CrossValidatedScore, TestScore } from "../journal/journal.js";

/** All that a page shows. */
export interface ReportData {
  readonly runs: readonly RunData[];
  /** Of the runs that are over, where there are several. */
  readonly comparison: Comparison | null;
  readonly trainings: readonly TrainingData[];
}

/** A run as a page shows it. */
export interface RunData {
  /** The folder's name, or more of its path where two have the same. */
  readonly name: string;
  /** Such as "bird/superhero". */
  readonly task: string;
  readonly method: string;
  /** Label and value of what it was run with. */
  readonly settings: readonly (readonly [string, string])[];
  /** Why it ended; null while it goes on. */
  readonly ended: string | null;
  /** By id, which is the index; the seed instructions are the first. */
  readonly nodes: readonly NodeData[];
  readonly best: number;
  /** Problems of the holdout. */
  readonly problems: readonly ProblemData[];
  /** Mean score by node and problem; null where the node has not answered it. */
  readonly scores: readonly (readonly (number | null)[])[];
  /** By node and problem: what is shown of its answers, as an index into `answers`; −1 for nothing. */
  readonly shown: readonly (readonly number[])[];
  /** Answers, each once. */
  readonly answers: readonly AnswerData[];
  /** Solved problems that prompts showed, each once. */
  readonly examples: readonly ExampleData[];
  /** Answers that are drawn for each one that counts. */
  readonly draws: number;
  /** Of the best node's answers on holdout and test; empty where answers have no confidence. */
  readonly reliability: readonly ReliabilityRow[];
  /** Attempts at an edit that were not adopted. */
  readonly rejected: readonly { readonly round: number; readonly parent: number; readonly why: string }[];
  readonly test: Omit<TestScore, "key"> | null;
  readonly crossValidation: CrossValidatedScore | null;
  /** Tokens by what they were for. */
  readonly phases: readonly PhaseData[];
  /** What rounds took; empty where it was not recorded. */
  readonly rounds: readonly RoundData[];
  /** Completions that were generated. */
  readonly generations: number;
}

export interface NodeData {
  readonly id: number;
  readonly parent: number | null;
  readonly depth: number;
  readonly round: number;
  readonly visits: number;
  /** Mean holdout score; null where it is unknown. */
  readonly score: number | null;
  readonly standardError: number | null;
  readonly instructions: string;
  /** Of the edit that made it, where rounds draw one. */
  readonly editKind?: string;
}

export interface ProblemData {
  readonly id: string;
  /** Empty where the task could not be opened. */
  readonly question: string;
  readonly gold: string;
  /** What its prompt showed under every node, as indexes into `examples`; left out where that is nothing. */
  readonly examples?: readonly number[];
}

export interface ExampleData {
  readonly id: string;
  /** Empty where the task could not be opened. */
  readonly question: string;
}

export interface AnswerData {
  readonly answer: string;
  /** Null where it is right. */
  readonly error: string | null;
  /** Share of the draws that agree with it; left out where there is one draw only. */
  readonly confidence?: number;
  /** Whether it came out of a repair; left out where it did not. */
  readonly repaired?: true;
}

export interface PhaseData {
  /** "batch", "gate", "holdout", "test" or "edit". */
  readonly phase: string;
  /** Answers that were graded, or attempts at edits. */
  readonly asked: number;
  readonly completions: number;
  readonly promptTokens: number;
  readonly tokens: number;
}

export interface RoundData {
  readonly round: number;
  /** Of wall time. */
  readonly seconds: number;
  /** Of these, inside models. */
  readonly modelSeconds: number;
  readonly promptTokensAsked: number;
  readonly promptTokensEvaluated: number;
  readonly tokensGenerated: number;
}

export interface TrainingData {
  readonly name: string;
  readonly points: readonly TrainingPoint[];
}

/** The mean reward of an edit with its 95 % interval, after so many updates. */
export interface TrainingPoint {
  readonly kind: "update" | "validation";
  readonly step: number;
  readonly reward: number;
  readonly low: number | null;
  readonly high: number | null;
}

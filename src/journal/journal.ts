/** What happens in a run, as events that are never paid for twice. */
import type { Interval } from "../lib/statistics.js";
import type { Completion, Usage } from "../model.js";
import type { Outcome, Reading } from "../task.js";

/** What an edit is worth, as the reward server says it. */
export interface RewardDocument {
  /** Its score minus that of its node; −1 for an invalid edit. */
  readonly reward: number;
  readonly score: number;
  /** The score of its node. */
  readonly performance: number;
  readonly standard_error: number | null;
  readonly invalid: boolean;
}

/**
 * What happens in a run, one plain object each. The key names the fact, so that recording it again changes
 * nothing: a resumed run walks the same path and pays only for what is not in the journal yet.
 */
export type RunEvent =
  /** What the run's results depend on beside its configuration. */
  | {
      readonly type: "inputs";
      readonly key: "inputs";
      readonly model: string;
      /** Of the model that writes edits, where it is another one. */
      readonly evolver?: string;
      readonly contextSize: number;
      readonly task: string;
      /** In words, where it is not the paper's. */
      readonly strategy?: string;
    }
  | {
      readonly type: "generation";
      /** `completionKey` of the request. */
      readonly key: string;
      readonly fingerprint: string;
      readonly completion: Completion;
    }
  /** Length of a prompt, kept so that a replay without a tokenizer asks for exactly the same. */
  | { readonly type: "tokens"; readonly key: string; readonly count: number }
  | {
      readonly type: "answer";
      readonly key: string;
      readonly node: number;
      readonly phase: AnswerPhase;
      /** The round that asked; 0 for the seed instructions' holdout. */
      readonly round: number;
      readonly problem: string;
      readonly sample: number;
      readonly outcome: Outcome;
      /** Of all its completions: tokens of the prompts, and of what was generated. */
      readonly promptTokens: number;
      readonly tokens: number;
      /** How many these are, if more than one. */
      readonly completions?: number;
      /** Share of the draws that agree with it, where there are several. */
      readonly confidence?: number;
      /** Whether it came out of a repair. */
      readonly repaired?: true;
      /** Solved problems that its prompt showed. */
      readonly examples?: readonly string[];
    }
  | ReadingEvent
  | { readonly type: "round"; readonly key: string; readonly round: number; readonly selected: number }
  | {
      readonly type: "edit";
      readonly key: string;
      readonly round: number;
      readonly parent: number;
      readonly attempt: number;
      /** Of the edit, in a run that draws it: "rewrite", "delta" or "example". */
      readonly kind?: string;
      /** Null when the edit was adopted, else why it was not. */
      readonly rejected: string | null;
      readonly promptTokens: number;
      readonly tokens: number;
    }
  /** An edit that another trainer asked about. */
  | { readonly type: "reward"; readonly key: string; readonly reward: RewardDocument }
  | {
      readonly type: "node";
      readonly key: string;
      readonly node: number;
      readonly parent: number | null;
      readonly round: number;
      /** Mean over the holdout. */
      readonly score: number;
      readonly standardError: number;
      /** Missing in journals of version 0.1, whose tree.json has them. */
      readonly instructions?: string;
    }
  /** What an edit of GEPA did on the batch it was made from, as sums of scores. */
  | {
      readonly type: "gate";
      readonly key: string;
      readonly round: number;
      /** Under the node's instructions. */
      readonly before: number;
      /** Under the edit's; null where nothing was wrong before, so that none was asked for. */
      readonly edited: number | null;
      readonly adopted: boolean;
    }
  /** What a round took in the process that ended it; what an earlier process began of it is not in here. */
  | {
      readonly type: "usage";
      readonly key: string;
      readonly round: number;
      /** From the round before, or from the start of the process. */
      readonly seconds: number;
      /** Of the model that answers and, where it is another, of the one that edits. */
      readonly models: readonly Usage[];
    }
  /** A node's score over more answers than other nodes have. */
  | {
      readonly type: "refined";
      readonly key: string;
      readonly node: number;
      readonly score: number;
      readonly standardError: number;
    }
  /** Why the run ended after this round, decided once: a resumed run keeps to it. */
  | {
      readonly type: "stop";
      readonly key: string;
      readonly round: number;
      readonly by: StopReason;
      readonly reason: string;
    }
  /** What somebody who watches the run should look into; it goes on all the same. */
  | { readonly type: "warning"; readonly key: string; readonly text: string }
  /** How the chosen node did on the test. */
  | ({ readonly type: "test"; readonly key: string } & TestScore)
  /** What the choice of a node is worth, by folds of the holdout. */
  | ({ readonly type: "kfold"; readonly key: string } & CrossValidatedScore)
  | { readonly type: "done"; readonly key: string; readonly best: number; readonly reason: string };

/** What an answer is by itself; the key is made of problem and response. */
export interface ReadingEvent {
  readonly type: "reading";
  readonly key: string;
  readonly problem: string;
  readonly reading: Reading;
}

/**
 * "batch": the problems whose outcomes the evolver reads; "gate": the same under its edit, before the edit is a node;
 * "holdout": those that score a node; "test": those that the chosen node alone answers.
 */
export type AnswerPhase = "batch" | "gate" | "holdout" | "test";

/** A score that may be reported: on problems that played no part in the choice. */
export interface TestScore extends Interval {
  readonly node: number;
  readonly problems: number;
}

/** Nodes chosen on all folds of the holdout but one, each scored on the fold that is left. */
export interface CrossValidatedScore {
  readonly folds: number;
  readonly mean: number;
  /** Between the folds. */
  readonly deviation: number;
  /** The node that was chosen without each fold. */
  readonly nodes: readonly number[];
}

/** Which of the conditions for an end was met; "request": someone asked for it. */
export type StopReason = "answers" | "tokens" | "cost" | "minutes" | "score" | "stagnation" | "request";

type EventOf<T extends RunEvent["type"]> = Extract<RunEvent, { type: T }>;

/** The key of an attempt at an edit. */
export const editKey = (round: number, attempt: number): string => `${round}/${attempt}`;

/** What a run remembers: nothing in it is paid for twice. */
export interface Journal {
  /** The event of this type and key, if there is one. */
  recall<T extends RunEvent["type"]>(type: T, key: string): EventOf<T> | undefined;
  /** Keeps the event, unless one of its type and key is kept already. Durable when it returns. */
  record(event: RunEvent): void;
}

/** A journal that lives and dies with the process. */
export class MemoryJournal implements Journal {
  readonly #events = new Map<string, RunEvent>();

  recall<T extends RunEvent["type"]>(type: T, key: string): EventOf<T> | undefined {
    return this.#events.get(`${type}:${key}`) as EventOf<T> | undefined;
  }

  record(event: RunEvent): void {
    const name = `${event.type}:${event.key}`;
    if (!this.#events.has(name)) this.#events.set(name, event);
  }

  get events(): RunEvent[] {
    return [...this.#events.values()];
  }
}

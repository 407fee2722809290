/** What SqlExecutor and its processes say to each other. */
import type { SqlValue } from "./rows.js";

export interface SqlRequest {
  path: string;
  sql: string;
  maxRows: number;
  /** Longest run of one statement, in milliseconds; null for none. The executor itself stops what outlives it. */
  timeoutMs: number | null;
  /** How many rows to hand over as they are, beside what is told of all of them. */
  keep?: number;
  /** Compare it with this query instead of telling its rows. */
  against?: Against;
}

export interface Against {
  readonly gold: string;
  /** Whether Soft-F1 is asked for. */
  readonly softF1: boolean;
  /** How often both are timed; 0 for never. */
  readonly timings: number;
}

/** How a statement fails inside the process. */
export type Failure = "refused" | "syntax" | "runtime" | "memory" | "too-many-rows" | "timeout";

/** A statement that failed, for the reason that is the message. */
export class Failed extends Error {
  constructor(
    readonly kind: Failure,
    message: string,
  ) {
    super(message);
  }
}

/** The first rows of a result. */
export interface TableReply {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly SqlValue[])[];
}

/** Rows of a result, without the rows. */
export interface Rows {
  digest: string;
  rows: number;
  preview: string;
}

export type SqlReply =
  | { type: "ready" }
  /** With a table where rows were to be kept. */
  | ({ type: "rows"; table?: TableReply; seconds: number; peakRssMb: number; rssMb: number } & Rows)
  | {
      type: "compared";
      /** Null where it was not asked for. */
      softF1: number | null;
      /** The gold query's time ÷ the other's. */
      ratios: number[];
      rssMb: number;
    }
  | { type: "failure"; kind: Failure; error: string; rssMb: number }
  /** The database file itself cannot be used. */
  | { type: "database"; problem: string; nextStep: string };

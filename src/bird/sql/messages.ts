/** The messages between SqlExecutor and its child processes. */
import type { SqlValue } from "./rows.js";

/** A statement to run. */
export interface SqlRequest {
  path: string;
  sql: string;
  maxRows: number;
  /** Longest run of one statement, in milliseconds; null for none. The executor itself stops what outlives it. */
  timeoutMs: number | null;
  /** How many rows to return as they are, beside the digest, number and preview of all of them. */
  keep?: number;
  /** Compare the statement with this query instead of returning its rows. */
  against?: Against;
}

/** The gold query that a statement is compared with, and by which metrics. */
export interface Against {
  readonly gold: string;
  /** Whether Soft-F1 is asked for. */
  readonly softF1: boolean;
  /** How often both are timed; 0 for never. */
  readonly timings: number;
}

/** How a statement fails inside the process. */
export type Failure = "refused" | "syntax" | "runtime" | "memory" | "too-many-rows" | "timeout";

/** A statement that failed; the message says why. */
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

/** The rows of a result in short: a digest, their number, a preview. */
export interface RowSummary {
  digest: string;
  rows: number;
  preview: string;
}

/** What a statement returned. */
export interface Rows extends RowSummary {
  /** What makes the result differ from one time to the next (`volatilePartsWith`); none for almost all statements. */
  volatile: readonly string[];
}

/** What a child process answers. */
export type SqlReply =
  | { type: "ready" }
  /** With a table if rows were to be kept. */
  | ({ type: "rows"; table?: TableReply; seconds: number; peakRssMb: number; rssMb: number } & Rows)
  | {
      type: "compared";
      /** Null if it was not asked for. */
      softF1: number | null;
      /** The gold query's time ÷ the other's. */
      ratios: number[];
      rssMb: number;
    }
  | { type: "failure"; kind: Failure; error: string; rssMb: number }
  /** The database file itself cannot be used. */
  | { type: "database"; problem: string; nextStep: string };

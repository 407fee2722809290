/** Sequences to train on, packed into arrays. */
import { LseError } from "../errors.js";

/** Tokens that continue the prefix of their row. They see the prefix and themselves, not the row's other answers. */
export interface Continuation {
  readonly tokens: readonly number[];
  /** How much predicting each token counts; 0 for those that are given, such as a question. Defaults to 1 each. */
  readonly weights?: readonly number[];
  /** Policy gradient: how much better than expected the answer was. Defaults to 1. */
  readonly advantage?: number;
  /** Policy gradient: each token's logprob when it was sampled, in nats. */
  readonly oldLogprobs?: readonly number[];
  /** Policy gradient held near another policy: each token's logprob under that one, in nats. */
  readonly referenceLogprobs?: readonly number[];
}

/** One row: a shared beginning, which is only read, and what was written after it. A plain sequence has one. */
export interface Row {
  /** At least one token. */
  readonly prefix: readonly number[];
  readonly continuations: readonly Continuation[];
}

/** B rows of T positions as the graph takes them; shorter rows are padded. M tokens are predicted. */
export interface PackedRows {
  readonly rows: number;
  readonly length: number;
  readonly tokens: BigInt64Array;
  readonly positions: BigInt64Array;
  /** [B, T, T]: 1 where a position may look. */
  readonly visible: Uint8Array;
  readonly at: BigInt64Array;
  readonly targets: BigInt64Array;
  readonly weights: Float64Array;
  readonly old: Float64Array;
  readonly reference: Float64Array;
  readonly advantages: Float64Array;
  /** For each of the M, the row, the continuation and the token in it. */
  readonly origin: readonly (readonly [row: number, continuation: number, token: number])[];
}

/** A sequence of which every token but the first is predicted. */
export function plainRow(tokens: readonly number[]): Row {
  return { prefix: tokens.slice(0, 1), continuations: [{ tokens: tokens.slice(1) }] };
}

export function rowLength({ prefix, continuations }: Row): number {
  return continuations.reduce((sum, { tokens }) => sum + tokens.length, prefix.length);
}

/** The sum of the weights: what a mean over tokens is divided by. */
export function totalWeight(rows: readonly Row[]): number {
  let sum = 0;
  for (const { continuations } of rows)
    for (const { tokens, weights } of continuations)
      sum += weights === undefined ? tokens.length : weights.reduce((a, b) => a + b, 0);
  return sum;
}

/**
 * @param select which tokens are predicted: those of a weight that is not 0, or all
 * @throws LseError for rows that no model of this vocabulary and context can read
 */
export function packRows(
  rows: readonly Row[],
  limits: { readonly vocabulary: number; readonly contextLength: number },
  select: "weighted" | "all",
): PackedRows {
  for (const row of rows) checkRow(row, limits);
  const length = Math.max(...rows.map(rowLength));
  const tokens = new BigInt64Array(rows.length * length);
  const positions = new BigInt64Array(rows.length * length);
  const visible = new Uint8Array(rows.length * length * length);
  const at: number[] = [];
  const targets: number[] = [];
  const weights: number[] = [];
  const old: number[] = [];
  const reference: number[] = [];
  const advantages: number[] = [];
  const origin: [number, number, number][] = [];

  rows.forEach(({ prefix, continuations }, r) => {
    const first = r * length;
    const place = (index: number, token: number, position: number, seenFrom: number) => {
      tokens[first + index] = BigInt(token);
      positions[first + index] = BigInt(position);
      const line = (first + index) * length;
      visible.fill(1, line, line + Math.min(prefix.length, index + 1));
      visible.fill(1, line + seenFrom, line + index + 1);
    };
    prefix.forEach((token, i) => {
      place(i, token, i, i);
    });
    let next = prefix.length;
    continuations.forEach((continuation, c) => {
      const start = next;
      continuation.tokens.forEach((token, i) => {
        const weight = continuation.weights?.[i] ?? 1;
        if (select === "all" || weight !== 0) {
          at.push(first + (i === 0 ? prefix.length - 1 : next - 1));
          targets.push(token);
          weights.push(weight);
          old.push(continuation.oldLogprobs?.[i] ?? 0);
          reference.push(continuation.referenceLogprobs?.[i] ?? 0);
          advantages.push(continuation.advantage ?? 1);
          origin.push([r, c, i]);
        }
        place(next, token, prefix.length + i, start);
        next++;
      });
    });
    // Padding looks at itself, so that no softmax is over nothing.
    for (; next < length; next++) visible[(first + next) * length + next] = 1;
  });
  return {
    rows: rows.length,
    length,
    tokens,
    positions,
    visible,
    origin,
    at: BigInt64Array.from(at, BigInt),
    targets: BigInt64Array.from(targets, BigInt),
    weights: Float64Array.from(weights),
    old: Float64Array.from(old),
    reference: Float64Array.from(reference),
    advantages: Float64Array.from(advantages),
  };
}

/**
 * Rows of at most `most` positions: of a longer one the answers are put behind several copies of its prefix.
 * @returns with each, the row it comes from and the number of its first continuation there
 */
export function foldRows(
  rows: readonly Row[],
  most: number,
): { readonly row: Row; readonly from: number; readonly first: number }[] {
  return rows.flatMap((row, from) => {
    if (rowLength(row) <= most) return [{ row, from, first: 0 }];
    const parts: {
      row: { prefix: Row["prefix"]; continuations: Continuation[] };
      from: number;
      first: number;
    }[] = [];
    let room = 0;
    row.continuations.forEach((continuation, first) => {
      const current = parts.at(-1);
      if (current !== undefined && continuation.tokens.length <= room)
        current.row.continuations.push(continuation);
      else {
        parts.push({ row: { prefix: row.prefix, continuations: [continuation] }, from, first });
        room = most - row.prefix.length;
      }
      room -= continuation.tokens.length;
    });
    return parts;
  });
}

/**
 * Splits rows into batches of at most `most` positions with padding, rows of similar length together.
 * @returns indexes into `rows`; a row longer than `most` is alone
 */
export function splitRows(rows: readonly Row[], most: number): number[][] {
  const lengths = rows.map(rowLength);
  const order = [...rows.keys()].sort((a, b) => (lengths[b] as number) - (lengths[a] as number) || a - b);
  const parts: number[][] = [];
  let room = 0;
  for (const row of order) {
    const current = parts.at(-1);
    if (current !== undefined && current.length < room) current.push(row);
    else {
      parts.push([row]);
      room = Math.floor(most / (lengths[row] as number));
    }
  }
  return parts;
}

function checkRow(
  { prefix, continuations }: Row,
  limits: { readonly vocabulary: number; readonly contextLength: number },
): void {
  if (prefix.length === 0)
    throw new LseError(
      "a row has no prefix",
      "Put at least its first token there: nothing predicts that one",
    );
  for (const { tokens, weights, oldLogprobs, referenceLogprobs } of continuations) {
    const reach = prefix.length + tokens.length;
    if (reach > limits.contextLength)
      throw new LseError(
        `a sequence has ${reach} tokens, but the context ${limits.contextLength}`,
        "Leave such sequences out, or train with a longer context",
      );
    for (const [what, list] of Object.entries({ weights, oldLogprobs, referenceLogprobs }))
      if (list !== undefined && list.length !== tokens.length)
        throw new LseError(
          `${list.length} ${what} were given for ${tokens.length} tokens`,
          "Give one for each",
        );
  }
  for (const token of [prefix, ...continuations.map(({ tokens }) => tokens)].flat())
    if (!Number.isInteger(token) || token < 0 || token >= limits.vocabulary)
      throw new LseError(
        `${token} is no token of a vocabulary of ${limits.vocabulary}`,
        "Use the tokenizer that the model was made with",
      );
}

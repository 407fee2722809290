/** Computes BIRD's Soft-F1 as its code does, which is not what its README says (mini_dev, evaluation_f1.py:14-101). */
import { rowKey, type SqlValue, valueKey } from "./sql/rows.js";

/**
 * How alike two results are, from 0 to 1. Repeated rows are left out, row i of the prediction is compared with row i
 * of the gold result, and a value may stand anywhere in the other row. So the order of rows matters, the order of
 * columns does not, and a value that occurs twice counts twice.
 */
export function softF1(predicted: readonly SqlValue[][], gold: readonly SqlValue[][]): number {
  if (predicted.length === 0 && gold.length === 0) return 1;
  const [ours, theirs] = [distinct(predicted), distinct(gold)];
  let [found, ourOnly, theirOnly] = [0, 0, 0];
  for (let i = 0; i < Math.max(ours.length, theirs.length); i++) {
    const [own, other] = [ours[i], theirs[i]];
    if (own === undefined) theirOnly++;
    else if (other === undefined) ourOnly++;
    else {
      const size = other.length;
      found += count(own, (value) => other.includes(value)) / size;
      ourOnly += count(own, (value) => !other.includes(value)) / size;
      theirOnly += count(other, (value) => !own.includes(value)) / size;
    }
  }
  const precision = found + ourOnly === 0 ? 0 : found / (found + ourOnly);
  const recall = found + theirOnly === 0 ? 0 : found / (found + theirOnly);
  return precision + recall === 0 ? 0 : (2 * precision * recall) / (precision + recall);
}

/** The values of each different row, as texts that are equal when the values are. */
function distinct(rows: readonly SqlValue[][]): string[][] {
  const seen = new Map<string, string[]>();
  for (const row of rows) {
    const key = rowKey(row);
    if (!seen.has(key)) seen.set(key, row.map(valueKey));
  }
  return [...seen.values()];
}

const count = <T>(values: readonly T[], is: (value: T) => boolean) => values.filter(is).length;

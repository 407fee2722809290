/** How the learning rate moves over the steps: a factor of every group's rate. */
export interface Schedule {
  readonly kind: "constant" | "cosine";
  /** Steps over which the factor rises from 0 to 1. */
  readonly warmup: number;
  /** Cosine: the steps after which the factor is `floor`, and stays there. */
  readonly steps: number;
  /** Cosine: the last factor. */
  readonly floor: number;
}

export const CONSTANT: Schedule = Object.freeze({ kind: "constant", warmup: 0, steps: 0, floor: 0 });

/** @param step from 1 */
export function rateFactor({ kind, warmup, steps, floor }: Schedule, step: number): number {
  if (step <= warmup) return step / warmup;
  if (kind === "constant") return 1;
  const progress = Math.min(1, (step - warmup) / Math.max(1, steps - warmup));
  return floor + ((1 - floor) * (1 + Math.cos(Math.PI * progress))) / 2;
}

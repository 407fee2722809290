/** Which problems the rounds of a run answer, and which of them nodes answered wrong. */
import type { Answer } from "../answer/answer.js";
import { deriveSeed, shuffled } from "../lib/random.js";
import type { EvolveConfig } from "./config.js";
import type { Split } from "./problem-parts.js";
import { referenceBatch } from "./reference/split.js";
import { batchOf } from "./split.js";
import type { EvolutionTree, TreeNode } from "./tree.js";

/** The batches of a run so far. */
export class Batches {
  readonly #byRound: string[][] = [];
  /** By node, then by problem: whether its latest answer was right. */
  readonly #right: Map<string, boolean>[] = [];

  constructor(
    private readonly config: Pick<EvolveConfig, "schedule" | "batch" | "seed" | "preferWrong">,
    private readonly split: Split,
    private readonly tree: EvolutionTree,
  ) {}

  /** Draws the problems of a round in which a node is edited. */
  draw(node: TreeNode, round: number): readonly string[] {
    const { schedule, batch: size, seed, preferWrong } = this.config;
    const deal = schedule === "reference" ? referenceBatch : batchOf;
    const dealt = deal(this.split.pool, size, round, seed);
    const batch = preferWrong
      ? withWrong(dealt, this.#wrongUnder(node), deriveSeed(seed, "wrong", round))
      : dealt;
    this.#byRound[round] = batch;
    return batch;
  }

  /** The problems that were drawn for a round. */
  of(round: number): readonly string[] {
    return this.#byRound[round] ?? [];
  }

  /** Keeps how a node did. */
  keep({ id }: TreeNode, answers: readonly Answer[]): void {
    const own = new Map(this.#right[id]);
    for (const { problem, outcome } of answers) own.set(problem, outcome.correct);
    this.#right[id] = own;
  }

  /** Problems that a node answered wrong when it was last asked, or where it never was, the nearest node above it. */
  #wrongUnder({ id, parent }: TreeNode): string[] {
    const path = [id];
    for (let above = parent; above !== null; above = this.tree.node(above).parent) path.push(above);
    const isRight = new Map(path.toReversed().flatMap((own) => [...(this.#right[own] ?? [])]));
    return [...isRight].flatMap(([problem, right]) => (right ? [] : [problem]));
  }
}

/** A batch of which up to half are problems that were answered wrong, drawn among them; the rest are those dealt. */
export function withWrong(dealt: readonly string[], wrong: readonly string[], seed: number): string[] {
  const again = shuffled(wrong, seed).slice(0, Math.floor(dealt.length / 2));
  const others = dealt.filter((id) => !again.includes(id));
  return [...again, ...others].slice(0, dealt.length);
}

import { evolveConfigSchema } from "#lse/evolve/config.js";
import { EvolutionTree } from "#lse/evolve/tree.js";
import type { SavedRun } from "#lse/train/rl/edit-states.js";
import { NumberTask } from "./fakes.js";

/** A run over problems p0 … p9, of which the first four score nodes; node i knows the first `known[i]` of them. */
export function savedRun(origin: string, known: readonly number[], problems = 10): SavedRun {
  const text = (count: number) => `known: 100 ${Array.from({ length: count }, (_, i) => i).join(" ")}`;
  const task = new NumberTask(problems, text(known[0] ?? 0));
  const tree = new EvolutionTree(task.seedInstructions);
  for (const count of known.slice(1)) tree.add(0, text(count), 1);
  for (const [i, count] of known.entries()) {
    const node = tree.node(i);
    node.score = count / 4;
    node.standardError = 0.1;
  }
  return {
    origin,
    policy: "scripted",
    task,
    tree,
    holdout: ["p0", "p1", "p2", "p3"],
    config: evolveConfigSchema.parse({ rounds: 1, batch: 2, holdout: 4, sampling: { maxTokens: 200 } }),
    records: known.map((count, i) => ({
      selfEvolvePrompt: [{ role: "user", content: `${origin} node ${i}: ${text(count)}` }],
      editKind: "rewrite",
    })),
  };
}

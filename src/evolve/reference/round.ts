/** A round in the published code's order of steps. */
import type { Run } from "../run.js";

/**
 * A round in the published code's order (lse/simulators/bird_simulator.py:334-526, with a holdout and tree.metric "dev"):
 * the newest node is scored and answers a batch; then a node is selected, be it this one or an older one with its own
 * batch; and it gets a child, which the next round begins with. So every node is reviewed once, on the batch of its
 * first round, and the last child is never scored.
 *
 * An edit that cannot be used is not asked for again: the child is a twin of its parent (Q3 of quirks.ts).
 */
export async function referenceRound(run: Run, round: number): Promise<void> {
  const current = run.tree.node(run.tree.nodes.length - 1);
  await run.scoreNode(current);
  run.review(current, await run.answerBatch(current, round), round);
  const parent = run.select(round);
  const edit = await run.edit(parent, round, 1);
  run.adopt(parent, edit ?? { instructions: parent.instructions, conversation: [] }, round);
}

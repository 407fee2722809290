/** A run as it goes on: in a terminal a bar with figures and the tree; elsewhere a line for each round. */
import type { EvolveConfig } from "../evolve/config.js";
import { METHODS, savedByFailure } from "../evolve/methods.js";
import { editKey, type RunEvent } from "../journal/journal.js";
import type { RunStart } from "../runs/run-in-folder.js";
import { Progress } from "./progress.js";

type NodeEvent = Extract<RunEvent, { type: "node" }>;

/** How many nodes are shown as the newest. */
const NEWEST = 4;

export class EvolveView implements Disposable {
  readonly #config: EvolveConfig;
  readonly #progress: Progress;
  readonly #nodes: NodeEvent[];
  readonly #started = performance.now();
  #answers = 0;
  #tokens = 0;
  #editing: string | null = null;

  constructor({ config: { evolve }, plan, journal }: RunStart) {
    this.#config = evolve;
    const failed = Array.from({ length: evolve.rounds }, (_, i) =>
      journal.recall("edit", editKey(i + 1, evolve.tries)),
    ).filter((edit) => edit != null && edit.rejected !== null).length;
    // The comparison comes after the run.
    const total = plan.budget.answers - plan.budget.comparisonAnswers - failed * savedByFailure(evolve);
    this.#progress = new Progress("answers", total, journal.count("answer"));
    this.#nodes = [...journal.all("node")];
  }

  /** Takes in what has happened. */
  follow(event: RunEvent): void {
    const progress = this.#progress;
    switch (event.type) {
      case "answer":
        this.#answers++;
        this.#tokens += event.tokens;
        progress.tick();
        break;
      case "round":
        progress.note(this.#named(event.round));
        this.#editing = `${this.#named(event.round)} edits node ${event.selected}`;
        break;
      case "node":
        this.#nodes.push(event);
        progress.say(`${this.#named(event.round)}: node ${event.node} scores ${event.score.toFixed(3)}`);
        break;
      case "edit":
        this.#tokens += event.tokens;
        if (event.rejected === null) break;
        progress.say(`${this.#named(event.round)}: edit ${event.attempt} is not usable: ${event.rejected}`);
        if (event.attempt === this.#config.tries) progress.drop(savedByFailure(this.#config));
        break;
      case "gate":
        if (!event.adopted) progress.say(`${this.#named(event.round)}: ${whyNotAdopted(event)}`);
        if (event.edited === null) progress.drop(savedByFailure(this.#config));
        break;
      case "refined":
        progress.say(`node ${event.node} scores ${event.score.toFixed(3)} with the answers that were left`);
        break;
      case "warning":
        progress.say(`warning: ${event.text}`);
        break;
      case "done":
        progress.complete();
        break;
    }
    const seconds = (performance.now() - this.#started) / 1000;
    const rates = `${rate(this.#answers / seconds)} answers/s, ${rate(this.#tokens / seconds)} tokens/s`;
    progress.show([rates, ...treeLines(this.#nodes), ...(this.#editing === null ? [] : [this.#editing])]);
  }

  [Symbol.dispose](): void {
    this.#progress[Symbol.dispose]();
  }

  #named(round: number): string {
    const { method, rounds } = this.#config;
    return METHODS[method].hasFixedRounds ? `round ${round} of ${rounds}` : `round ${round}`;
  }
}

/** The way to the best node, and the newest nodes with their parents. */
export function treeLines(nodes: readonly NodeEvent[]): string[] {
  const [root, ...edited] = nodes;
  if (root === undefined) return [];
  const best = nodes.reduce((one, other) => (other.score > one.score ? other : one));
  const path = [best];
  for (let node = best; node.parent !== null; ) {
    const parent = nodes.find((one) => one.node === node.parent);
    if (parent === undefined) break;
    path.unshift(parent);
    node = parent;
  }
  const scored = ({ node, score }: NodeEvent) => `${node} (${score.toFixed(3)})`;
  const newest = edited.slice(-NEWEST).reverse();
  return [
    `best:   node ${path.map(scored).join(" → ")} ± ${best.standardError.toFixed(3)} on the holdout`,
    ...(newest.length === 0
      ? []
      : [`newest: node ${newest.map((node) => `${scored(node)} from ${node.parent}`).join(", ")}`]),
  ];
}

const rate = (value: number) => value.toFixed(value < 10 ? 1 : 0);

const whyNotAdopted = ({ before, edited }: Extract<RunEvent, { type: "gate" }>) =>
  edited === null
    ? "nothing in the batch was wrong"
    : `the edit is not adopted: ${edited} on its batch, and ${before} without it`;

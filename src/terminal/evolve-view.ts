/** What is seen of a run while it goes on: in a terminal a bar with figures and the tree; elsewhere a line a round. */
import type { Budget } from "../evolve/config.js";
import type { EventFile } from "../journal/event-log.js";
import type { RunEvent } from "../journal/journal.js";
import type { RunConfig } from "../runs/config.js";
import { Progress } from "./progress.js";

type NodeEvent = Extract<RunEvent, { type: "node" }>;

/** Nodes shown as the newest. */
const NEWEST = 4;

export class EvolveView implements Disposable {
  readonly #config: RunConfig["evolve"];
  readonly #progress: Progress;
  readonly #nodes: NodeEvent[];
  readonly #started = performance.now();
  #answers = 0;
  #tokens = 0;
  #editing: string | null = null;

  /** @param events what an earlier process did of the run */
  constructor({ evolve }: RunConfig, budget: Budget, events: EventFile) {
    this.#config = evolve;
    const failed = Array.from({ length: evolve.rounds }, (_, i) =>
      events.recall("edit", `${i + 1}/${evolve.tries}`),
    ).filter((edit) => edit != null && edit.rejected !== null).length;
    const total = budget.answers - failed * this.#savedByFailure();
    this.#progress = new Progress("answers", total, events.count("answer"));
    this.#nodes = [...events.all("node")];
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
        progress.say(`${this.#named(event.round)}: node ${event.node} scores ${event.reward.toFixed(3)}`);
        break;
      case "edit":
        this.#tokens += event.tokens;
        if (event.rejected === null) break;
        progress.say(`${this.#named(event.round)}: edit ${event.attempt} is not usable: ${event.rejected}`);
        if (event.attempt === this.#config.tries) progress.drop(this.#savedByFailure());
        break;
      case "gate":
        if (!event.adopted) progress.say(`${this.#named(event.round)}: ${whyNotAdopted(event)}`);
        break;
      case "refined":
        progress.say(`node ${event.node} scores ${event.reward.toFixed(3)} with the answers that were left`);
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
    return this.#config.method === "gepa" ? `round ${round}` : `round ${round} of ${this.#config.rounds}`;
  }

  /** Answers that need not be asked for after a round without a usable edit. */
  #savedByFailure(): number {
    const { method, spendAll, holdout, samples } = this.#config;
    return method === "gepa" || spendAll ? 0 : holdout * samples;
  }
}

/** The way to the best node, and the newest nodes with their parents. */
export function treeLines(nodes: readonly NodeEvent[]): string[] {
  const [root, ...edited] = nodes;
  if (root === undefined) return [];
  const best = nodes.reduce((one, other) => (other.reward > one.reward ? other : one));
  const path = [best];
  for (let node = best; node.parent !== null; ) {
    const parent = nodes.find((one) => one.node === node.parent);
    if (parent === undefined) break;
    path.unshift(parent);
    node = parent;
  }
  const scored = ({ node, reward }: NodeEvent) => `${node} (${reward.toFixed(3)})`;
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

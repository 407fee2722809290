/**
 * DSPy's BootstrapFewShotWithRandomSearch on this loop (Khattab et al. 2023; dspy 3.4.1, teleprompt/random_search.py and
 * bootstrap.py): each candidate shows the model some of its own right answers and fills up with solved problems, all drawn by
 * chance, and the holdout chooses. No evolver is asked. docs/protocol.md says what differs.
 */
import { deriveSeed, shuffled, uniformStream } from "../lib/random.js";
import type { EditAttempt, EditSeed, EditWriter, Review, WriterParts } from "./edit-writer.js";
import { ExamplePool, unaskedAttempt } from "./example-pool.js";
import { judgeInstructions } from "./judge-edit.js";
import { parseManual, printManual } from "./manual.js";
import type { TreeNode } from "./tree.js";

/** Examples of a candidate at most: own answers, and all of them (max_bootstrapped_demos, max_labeled_demos). */
const MOST = { own: 4, all: 16 };

/** Draws sets of examples, whatever sets were drawn before. */
export class BootstrapWriter implements EditWriter {
  readonly #pool: ExamplePool;
  /** The model's first right answer to each problem that it was asked so far, in the order of the batches. */
  readonly #own = new Map<string, string>();

  constructor(private readonly parts: WriterParts) {
    this.#pool = new ExamplePool(parts);
  }

  /** Nothing is asked. */
  messages(): [] {
    return [];
  }

  /** @param parent the root: its own examples, if it has any, give way */
  async propose(parent: TreeNode, { batch }: Review, at: EditSeed): Promise<EditAttempt> {
    for (const { problem, response, outcome } of batch)
      if (outcome.correct && this.#pool.isAllowed(problem) && !this.#own.has(problem))
        this.#own.set(problem, response.trim());
    const own = this.#drawOwn(at);
    const solved = shuffled(this.parts.split.pool, seedOf(at, "solved"))
      .filter((id) => this.#pool.isAllowed(id) && !own.includes(id))
      .flatMap((id) => this.#pool.solved(id) ?? []);
    const examples = [
      ...own.map((id) => this.#pool.answered(id, this.#own.get(id) as string)),
      ...solved.slice(0, MOST.all - own.length),
    ];
    const manual = parseManual(parent.instructions);
    const { unusable } = this.parts;
    // What has no room in the context is left out from the end.
    while (examples.length > 0 && unusable(printManual({ ...manual, examples })) !== null) examples.pop();
    if (examples.length === 0) return unaskedAttempt("", "no example can be shown, or none has room");
    const instructions = printManual({ ...manual, examples });
    const { reason } = judgeInstructions(instructions, { parent: parent.instructions, unusable });
    return unaskedAttempt(instructions, reason);
  }

  /**
   * Problems whose own answers are shown: in the first round none, in the second the first ones, then one to four by
   * chance (the seeds -2, -1 and 0, 1, … of the published code; its -3 is the root).
   */
  #drawOwn(at: EditSeed): string[] {
    const ids = [...this.#own.keys()];
    if (at.round === 1) return [];
    if (at.round === 2) return ids.slice(0, MOST.own);
    const count = 1 + Math.floor(uniformStream(seedOf(at, "count"))() * MOST.own);
    return shuffled(ids, seedOf(at, "own")).slice(0, count);
  }
}

const seedOf = ({ seed, round, attempt }: EditSeed, what: string): number =>
  deriveSeed(seed, "bootstrap", what, round, attempt);

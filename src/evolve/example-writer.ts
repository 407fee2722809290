/** Edits that need no evolver: problems of the batch, with their right answers, become examples of the manual. */
import { deriveSeed, shuffled, uniformStream } from "../lib/random.js";
import type { EditAttempt, EditSeed, EditWriter, Review, WriterParts } from "./edit-writer.js";
import { ExamplePool, unaskedAttempt } from "./example-pool.js";
import { judgeInstructions } from "./judge-edit.js";
import { parseManual, printManual } from "./manual.js";
import type { TreeNode } from "./tree.js";

/** Examples of a manual, and those that one edit adds, at most. */
const MOST = { all: 8, added: 3 };
/** How often examples are put in the place of others, and how often one is taken out, where there are some. */
const SHARE = { replaced: 0.3, deleted: 0.1 };

/** Puts solved problems into the manual, puts them in the place of others, and takes them out, by chance. */
export class ExampleWriter implements EditWriter {
  readonly #pool: ExamplePool;

  constructor(private readonly parts: WriterParts) {
    this.#pool = new ExamplePool(parts);
  }

  /** Nothing is asked. */
  messages(): [] {
    return [];
  }

  async propose(parent: TreeNode, { batch }: Review, at: EditSeed): Promise<EditAttempt> {
    const manual = parseManual(parent.instructions);
    const draw = uniformStream(deriveSeed(at.seed, "example", at.round, at.attempt));
    const inAnyOrder = <T>(items: readonly T[], what: string): T[] =>
      shuffled(items, deriveSeed(at.seed, "example", what, at.round, at.attempt));
    const wrong = batch.filter(({ outcome }) => !outcome.correct);
    const fresh = (wrong.length > 0 ? wrong : batch)
      .map(({ problem }) => problem)
      .filter((id) => this.#pool.isAllowed(id))
      .flatMap((id) => this.#pool.solved(id) ?? [])
      .filter((example) => !manual.examples.includes(example));
    const change = manual.examples.length === 0 ? 1 : draw();
    const isDeleted = change < SHARE.deleted;
    const count = isDeleted ? 0 : 1 + Math.floor(draw() * MOST.added);
    const added = inAnyOrder(fresh, "added").slice(0, count);
    if (added.length === 0 && !isDeleted)
      return unaskedAttempt("", "no problem of the batch can be an example");
    const isReplaced = !isDeleted && change < SHARE.deleted + SHARE.replaced;
    const tooMany = manual.examples.length + added.length - MOST.all;
    const order = inAnyOrder(manual.examples, "gone");
    const without = (count: number) => {
      const kept = manual.examples.filter((example) => !order.slice(0, count).includes(example));
      return printManual({ ...manual, examples: [...kept, ...added] });
    };
    const { unusable } = this.parts;
    let gone = isDeleted ? 1 : Math.max(tooMany, isReplaced ? added.length : 0);
    // Others make room, if there is none; and where that does not suffice, fewer are added.
    while (unusable(without(gone)) !== null && (gone < order.length || added.length > 1))
      if (gone < order.length) gone++;
      else added.pop();
    const instructions = without(gone);
    return unaskedAttempt(
      instructions,
      judgeInstructions(instructions, { parent: parent.instructions, unusable }).reason,
    );
  }
}

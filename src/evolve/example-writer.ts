/** Edits that need no evolver: a problem of the batch, with its right answer, becomes one of the manual's examples. */
import { deriveSeed, uniformStream } from "../lib/random.js";
import type { EditAttempt, EditSeed, EditWriter, Review, WriterParts } from "./edit-writer.js";
import { ExamplePool, unaskedAttempt } from "./example-pool.js";
import { judgeInstructions } from "./judge-edit.js";
import { parseManual, printManual } from "./manual.js";
import type { TreeNode } from "./tree.js";

/** Examples of a manual at most; a further one takes the place of another. */
const MOST_EXAMPLES = 8;
/** How often an example is put in the place of another, and how often one is taken out, where there are some. */
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
    const oneOf = <T>(items: readonly T[]): T | undefined => items[Math.floor(draw() * items.length)];
    const wrong = batch.filter(({ outcome }) => !outcome.correct);
    const fresh = (wrong.length > 0 ? wrong : batch)
      .map(({ problem }) => problem)
      .filter((id) => this.#pool.isAllowed(id))
      .flatMap((id) => this.#pool.solved(id) ?? [])
      .filter((example) => !manual.examples.includes(example));
    const change = draw();
    const place = manual.examples.indexOf(oneOf(manual.examples) ?? "");
    const example = oneOf(fresh);
    const isDeleted = place >= 0 && change < SHARE.deleted;
    if (example === undefined && !isDeleted)
      return unaskedAttempt("", "no problem of the batch can be an example");
    const isReplaced =
      manual.examples.length >= MOST_EXAMPLES || (place >= 0 && change < SHARE.deleted + SHARE.replaced);
    const added = isDeleted || example === undefined ? [] : [example];
    const examples =
      isDeleted || isReplaced
        ? manual.examples.toSpliced(place, 1, ...added)
        : [...manual.examples, ...added];
    const instructions = printManual({ ...manual, examples });
    const { unusable } = this.parts;
    return unaskedAttempt(
      instructions,
      judgeInstructions(instructions, { parent: parent.instructions, unusable }).reason,
    );
  }
}

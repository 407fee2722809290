/** Says which pieces of work are still running, when none has ended for a while. */
import type { Progress } from "./progress.js";

/** How often it is looked, in milliseconds. */
const LOOK_MS = 10_000;

/** How many are named; the work is done in order, a few at a time. */
const NAMED = 4;

export class Unfinished implements Disposable {
  readonly #names: Set<string>;
  readonly #timer: NodeJS.Timeout;
  #hasEnded = true;
  #said = "";

  /** @param names of all pieces, in the order in which they are begun */
  constructor(progress: Progress, names: Iterable<string>) {
    this.#names = new Set(names);
    this.#timer = setInterval(() => {
      const running = [...this.#names].slice(0, NAMED).join(", ");
      if (!this.#hasEnded && running !== "" && running !== this.#said) {
        progress.say(`Still running: ${running}`);
        this.#said = running;
      }
      this.#hasEnded = false;
    }, LOOK_MS);
    // Work that nothing can end any more is noticed by the process having nothing to do.
    this.#timer.unref();
  }

  /** @param name left out where it is not known which has ended; then none is named any more */
  end(name?: string): void {
    this.#hasEnded = true;
    if (name === undefined) this.#names.clear();
    else this.#names.delete(name);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

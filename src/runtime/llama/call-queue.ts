/** One call of an engine after another, and the time they take. */
import type { Usage } from "../../model.js";

/** Runs calls one after another, in the order they came, and counts the seconds spent in them. */
export class CallQueue {
  #last: Promise<unknown> = Promise.resolve();

  constructor(private readonly usage: Usage) {}

  run<T>(call: () => Promise<T>): Promise<T> {
    const timed = async () => {
      const started = performance.now();
      try {
        return await call();
      } finally {
        this.usage.seconds += (performance.now() - started) / 1000;
      }
    };
    const result = this.#last.then(timed);
    this.#last = result.catch(() => undefined);
    return result;
  }

  /** Resolves when all calls so far have ended. */
  async idle(): Promise<void> {
    await this.#last;
  }
}

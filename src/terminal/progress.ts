/** The progress bar of long work. */
import { MultiBar, type SingleBar } from "cli-progress";
import { printable } from "../lib/printable.js";
import { formatSeconds } from "./numbers.js";

/** Progress on standard error: a bar in a terminal; elsewhere, and in CI, only lines. */
export class Progress implements Disposable {
  /** One bar; only a group of bars can print lines above it. Null when standard error is no terminal. */
  readonly #group: MultiBar | null;
  readonly #bar: SingleBar | undefined;
  /** Lines below the bar; bars without a bar, since those the library redraws. */
  readonly #lines: SingleBar[] = [];
  readonly #started = performance.now();
  #doneBefore: number;
  #done: number;
  #total: number;
  #note = "";

  /**
   * @param unit what is counted, such as "answers"
   * @param done what an earlier process did already; the estimate of the time left is made from this
   *   process's own speed
   */
  constructor(unit: string, total: number, done = 0) {
    this.#total = total;
    this.#done = done;
    this.#doneBefore = done;
    this.#group =
      process.stderr.isTTY && !process.env.CI
        ? new MultiBar({
            format: `{bar} {value}/{total} ${unit} · {left}{note}`,
            stream: process.stderr,
            barsize: 24,
            hideCursor: true,
          })
        : null;
    this.#bar = this.#group?.create(total, done, { left: "…", note: "" });
  }

  tick(): void {
    this.advance(1);
  }

  /** @param count less than 0 when work has to be done again */
  advance(count: number): void {
    this.#done += count;
    this.#update();
  }

  /** What there is to do in all, once it is known, and what an earlier process did of it. */
  start(total: number, done: number): void {
    this.#total = total;
    this.skip(done);
  }

  /** Work that an earlier process did. */
  skip(count: number): void {
    this.#done += count;
    this.#doneBefore += count;
    this.#update();
  }

  /** Work that turned out not to be needed. */
  drop(count: number): void {
    this.#total -= count;
    this.#update();
  }

  /** Everything is done, though it was less than expected. */
  complete(): void {
    this.#total = this.#done;
    this.#update();
  }

  /** Shown after the bar. */
  note(text: string): void {
    this.#note = ` · ${text}`;
    this.#update();
  }

  /** Shows lines below the bar, replacing those shown before. */
  show(lines: readonly string[]): void {
    if (this.#group === null) return;
    const width = process.stderr.columns ?? 80;
    for (const [i, line] of lines.entries()) {
      const text = line.length < width ? line : `${line.slice(0, width - 2)}…`;
      this.#lines[i] ??= this.#group.create(1, 0, { text }, { format: "{text}" });
      this.#lines[i]?.update(0, { text });
    }
  }

  /** Prints a line above the bar. */
  say(text: string): void {
    const line = printable(text);
    if (this.#group === null) console.error(line);
    else this.#group.log(`${line}\n`);
  }

  [Symbol.dispose](): void {
    for (const line of this.#lines) this.#group?.remove(line);
    // Lines wait for the next drawing, which `stop` would not do.
    this.#group?.update();
    this.#group?.stop();
  }

  #update(): void {
    this.#bar?.setTotal(this.#total);
    this.#bar?.update(this.#done, { left: this.#timeLeft(), note: this.#note });
  }

  #timeLeft(): string {
    const doneHere = this.#done - this.#doneBefore;
    if (doneHere <= 0) return "…";
    const secondsEach = (performance.now() - this.#started) / 1000 / doneHere;
    return `${formatSeconds(secondsEach * (this.#total - this.#done))} left`;
  }
}

/** What models did between two readings. */
import { emptyUsage, type LanguageModel, type Usage } from "../model.js";

/** What models did between two looks. */
export class UsageMeter {
  #seen: Usage[];
  #looked = performance.now();

  constructor(private readonly models: readonly Pick<LanguageModel, "usage">[]) {
    this.#seen = this.#now();
  }

  /** Since the last call, or since the meter was made: of each model, and the seconds between. */
  read(): { seconds: number; models: Usage[] } {
    const [before, looked] = [this.#seen, this.#looked];
    this.#seen = this.#now();
    this.#looked = performance.now();
    const models = this.#seen.map((usage, i) => difference(usage, before[i] ?? emptyUsage()));
    return { seconds: (this.#looked - looked) / 1000, models };
  }

  #now(): Usage[] {
    return this.models.map(({ usage }) => ({ ...usage }));
  }
}

const difference = (usage: Usage, before: Usage): Usage => ({
  completions: usage.completions - before.completions,
  promptTokensAsked: usage.promptTokensAsked - before.promptTokensAsked,
  promptTokensEvaluated: usage.promptTokensEvaluated - before.promptTokensEvaluated,
  tokensGenerated: usage.tokensGenerated - before.tokensGenerated,
  seconds: usage.seconds - before.seconds,
});

/** Whether prompts fit a model's context. */
import { answerSampling } from "../answer/strategy.js";
import type { LanguageModel } from "../model.js";
import type { Task } from "../task.js";
import { type EvolveConfig, editTokensOf } from "./config.js";
import { editKindFor, editKindsOf } from "./edit-kinds.js";
import { type Manual, parseManual, printManual } from "./manual.js";

/** Least room that instructions must leave for an answer, and for what the evolver reads of a batch. */
const MIN_ROOM_TOKENS = 64;

/**
 * How many tokens of the context the evolver's prompt may fill: an edit gets what it may ask for, but never
 * more than a quarter.
 */
export function evolverPromptLimit(contextSize: number, maxTokens: number): number {
  return contextSize - Math.min(maxTokens, Math.floor(contextSize / 4));
}

/** Tokens for the parts of a manual. */
type Budgets = Pick<EvolveConfig, "ruleTokens" | "exampleTokens">;

/** Which part of a manual takes more tokens than it may; null if none does. */
function overBudget(
  instructions: string,
  { ruleTokens, exampleTokens }: Budgets,
  model: Pick<LanguageModel, "countTokens">,
): string | null {
  const { rules, examples } = parseManual(instructions);
  const tokensOf = (part: Partial<Manual>) => {
    const content = printManual({ head: "", rules: [], examples: [], ...part });
    const count = (text: string) => model.countTokens([{ role: "user", content: text }]);
    return count(content) - count("");
  };
  for (const [name, part, limit] of [
    ["rules", { rules }, ruleTokens],
    ["examples", { examples }, exampleTokens],
  ] as const) {
    const tokens = limit === undefined ? 0 : tokensOf(part);
    if (limit !== undefined && tokens > limit)
      return `its ${name} take ${tokens} tokens, and may take ${limit}`;
  }
  return null;
}

/** Says why a task cannot be answered, or evolved further, under given instructions; null when it can. */
export type RoomCheck = (instructions: string) => string | null;

/**
 * Makes the checks of a task: for the seed instructions before anything is generated, and for every edit before it is
 * adopted. The longest of the task's prompts is looked for once.
 * @returns a function that makes the check for a model
 */
export function roomIn(
  task: Task,
  config: Pick<
    EvolveConfig,
    "sampling" | "strategy" | "edits" | "editContext" | "editMaxTokens" | keyof Budgets
  >,
): (model: Pick<LanguageModel, "contextSize" | "countTokens">) => RoomCheck {
  const { sampling, strategy, edits, editContext: context } = config;
  const promptLength = (id: string) =>
    task.prompt(id, "").reduce((sum, { content }) => sum + content.length, 0);
  const longest = [...task.problemIds, ...(task.testIds ?? [])].reduce((a, b) =>
    promptLength(b) > promptLength(a) ? b : a,
  );
  const kinds = editKindsOf(edits, task);
  const tooLong = (what: string, tokens: number, limit: number) =>
    tokens <= limit ? null : `${what} takes ${tokens} tokens, and the context has room for ${limit}`;

  return (model) => {
    const longestAnswer = answerSampling(sampling, strategy).maxTokens;
    const answerLimit = model.contextSize - Math.min(MIN_ROOM_TOKENS, longestAnswer);
    const editLimit = evolverPromptLimit(model.contextSize, editTokensOf(config)) - MIN_ROOM_TOKENS;
    return (instructions) => {
      const prompt = task.prompt(longest, instructions);
      const tooLongEdits = kinds.map((kind) => {
        const request = { task, instructions, batch: [], tried: [], context, fits: () => true };
        const edit = editKindFor(kind, task)?.messages(request);
        return edit === undefined
          ? null
          : tooLong("the evolver's prompt", model.countTokens(edit), editLimit);
      });
      return (
        tooLong("a problem's prompt", model.countTokens(prompt), answerLimit) ??
        tooLongEdits.find((reason) => reason !== null) ??
        overBudget(instructions, config, model)
      );
    };
  };
}

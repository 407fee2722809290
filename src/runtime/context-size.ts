/** How many tokens of context a model is opened with. */
import { LseError } from "../errors.js";

const DEFAULT_CONTEXT_LIMIT = 16_384;

/** The context to open a model with that was trained on `trained` tokens, unless an option says otherwise. */
export const defaultContextSize = (trained: number) => Math.min(trained, DEFAULT_CONTEXT_LIMIT);

/** @throws LseError when prompt and completion do not fit the context */
export function requireRoom(contextSize: number, promptTokens: number, completionTokens: number): void {
  if (promptTokens + completionTokens <= contextSize) return;
  throw new LseError(
    `The prompt has ${promptTokens} tokens and the context only ${contextSize}`,
    "Raise `model.context`, if the model was trained for more, or give a shorter schema and instructions",
  );
}

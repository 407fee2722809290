/** A GGUF model's tokenizer and chat template. */
import type { LlamaModel, Token } from "node-llama-cpp";
import { ChatTemplate, type Vocabulary } from "../chat-template.js";
import { chosenTemplate, DEFAULT_TEMPLATE } from "../template-choice.js";
import type { LlamaOptions, LoadedModel } from "./load.js";

/** The tokenizer of a loaded GGUF, in the form chat templates need. */
export function vocabularyOf(model: LlamaModel): Vocabulary {
  const controlTokens = new Map<string, number>();
  for (const token of model.iterateAllTokens()) {
    if (!model.isSpecialToken(token)) continue;
    const text = model.detokenize([token], true);
    if (text !== "") controlTokens.set(text, token);
  }
  const { bos, bosString, eosString, shouldPrependBosToken } = model.tokens;
  return {
    tokenize: (text) => model.tokenize(text),
    controlTokens,
    bos: bos === null ? null : { token: bos, text: bosString ?? "", prepend: shouldPrependBosToken },
    eosText: eosString,
  };
}

/** What engines need to know of generated tokens. */
export interface TokenTexts {
  /** The text of tokens; control tokens have none. */
  detokenize(tokens: readonly number[]): string;
  /** Whether a completion ends with this token. */
  isEnd(token: number): boolean;
}

export const tokenTextsOf = (model: LlamaModel): TokenTexts => ({
  detokenize: (tokens) => model.detokenize(asTokens(tokens)),
  isEnd: (token) => model.isEogToken(asTokens([token])[0]),
});

/** node-llama-cpp brands its token ids; they are plain numbers. */
export const asTokens = (tokens: readonly number[]) => tokens as readonly Token[] as Token[];

/**
 * The template that a GGUF is asked with: its own, or the one that the options name.
 * @throws LseError naming the file, when it has no such template or one that cannot be used
 */
export function chatTemplateOf(
  { model, metadata }: LoadedModel,
  { modelPath, template = {} }: LlamaOptions,
  vocabulary = vocabularyOf(model),
): ChatTemplate {
  const field = "tokenizer.chat_template";
  const own = new Map<string, string>();
  for (const [key, value] of metadata)
    if (typeof value === "string" && (key === field || key.startsWith(`${field}.`)))
      own.set(key === field ? DEFAULT_TEMPLATE : key.slice(field.length + 1), value);
  const source = chosenTemplate(own, template.name, `${modelPath}: field ${field}`);
  return new ChatTemplate(source, vocabulary, modelPath, template);
}

/** Where the first of these strings begins in the text, or null. */
export function firstOccurrence(text: string, strings: readonly string[]): number | null {
  const found = strings.map((string) => text.indexOf(string)).filter((index) => index >= 0);
  return found.length === 0 ? null : Math.min(...found);
}

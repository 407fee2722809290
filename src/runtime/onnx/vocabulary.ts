/** An ONNX model's tokenizer and chat template. */
import { join } from "node:path";
import { PreTrainedTokenizer } from "@huggingface/transformers";
import { LseError } from "../../errors.js";
import type { Vocabulary } from "../chat-template.js";
import type { TokenTexts } from "../llama/vocabulary.js";
import { type ModelFolder, TOKENIZER } from "./model-folder.js";

/**
 * The tokenizer of a model's folder, as chat templates and engines need it. A beginning-of-sequence token is put
 * before every prompt only where `add_bos_token` says so, as llama.cpp does.
 * @throws LseError for a tokenizer with parts that transformers.js does not know
 */
export function onnxVocabularyOf({
  path,
  tokenizer,
  tokenizerConfig,
  ends,
}: ModelFolder): Vocabulary & TokenTexts {
  const isSpecial = ({ special }: { readonly special: boolean }) => special;
  const ordinary = tokenizer.added_tokens.filter((token) => !isSpecial(token));
  let whole: PreTrainedTokenizer;
  /** Without its control tokens it takes their names for text. */
  let plain: PreTrainedTokenizer;
  try {
    whole = new PreTrainedTokenizer(tokenizer, tokenizerConfig);
    plain = new PreTrainedTokenizer({ ...tokenizer, added_tokens: ordinary }, tokenizerConfig);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new LseError(
      `${join(path, TOKENIZER)}: transformers.js cannot use this tokenizer (${why})`,
      "Take a model that was made for transformers.js",
      { cause },
    );
  }
  const controlTokens = new Map(
    tokenizer.added_tokens.filter(isSpecial).map(({ content, id }) => [content, id]),
  );
  const { bos_token: bos, eos_token: eos, add_bos_token: prepend } = tokenizerConfig;
  const bosToken = controlTokens.get(bos ?? "");
  return {
    tokenize: (text) => plain.encode(text, { add_special_tokens: false }),
    controlTokens,
    bos: bosToken === undefined ? null : { token: bosToken, text: bos as string, prepend: prepend === true },
    eosText: eos ?? null,
    detokenize: (tokens) =>
      tokens.length === 0
        ? ""
        : whole.decode([...tokens], { skip_special_tokens: true, clean_up_tokenization_spaces: false }),
    isEnd: (token) => ends.includes(token),
  };
}

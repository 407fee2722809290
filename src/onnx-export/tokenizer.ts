/** Tokenizers of GGUF files in the format of Hugging Face's tokenizers library: tokenizer.json and its configuration. */
import { LseError } from "../errors.js";
import { CONTROL, USER_DEFINED } from "../gguf/byte-tokens.js";
import type { GgufReader } from "../gguf/reader.js";

/** Qwen2's split of a text into words, which merges never cross, in the words of the tokenizers library. */
const WORDS =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

const BYTE_LEVEL = { type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: false };

export interface TokenizerFiles {
  readonly tokenizer: object;
  readonly config: object;
}

/**
 * The tokenizer of a GGUF, which gives every text the ids that llama.cpp gives it. Unlike Qwen's own it leaves Unicode
 * as it is (no NFC), as llama.cpp does.
 * @throws LseError for one that is no byte-level BPE with Qwen2's words
 */
export function tokenizerFiles(file: GgufReader): TokenizerFiles {
  const of = (key: string) => file.value(`tokenizer.ggml.${key}`);
  const [model, words] = [of("model"), of("pre")];
  if (model !== "gpt2" || words !== "qwen2")
    throw new LseError(
      `${file.path}: the tokenizer is ${model} with ${words}'s words; only gpt2 with qwen2's can be exported`,
      "Take a Qwen2 or Qwen3 model",
    );
  const tokens = of("tokens") as readonly string[];
  const kinds = of("token_type") as readonly number[];
  const merges = of("merges") as readonly string[];
  const template = file.value("tokenizer.chat_template");
  if (typeof template !== "string")
    throw new LseError(
      `${file.path}: field tokenizer.chat_template is missing`,
      "Take an instruction-tuned model",
    );
  const isAdded = (id: number) => kinds[id] === CONTROL || kinds[id] === USER_DEFINED;
  const ids = [...tokens.keys()];
  const tokenizer = {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: ids.filter(isAdded).map((id) => ({
      id,
      content: tokens[id],
      special: kinds[id] === CONTROL,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
    })),
    normalizer: null,
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        { type: "Split", pattern: { Regex: WORDS }, behavior: "Isolated", invert: false },
        BYTE_LEVEL,
      ],
    },
    post_processor: null,
    decoder: BYTE_LEVEL,
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: "",
      end_of_word_suffix: "",
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(ids.filter((id) => !isAdded(id)).map((id) => [tokens[id], id])),
      merges: merges.map((pair) => pair.split(" ")),
    },
  };
  const named = (key: string) => tokens[Number(of(`${key}_token_id`))] ?? null;
  const config = {
    tokenizer_class: "Qwen2Tokenizer",
    add_bos_token: of("add_bos_token") === true,
    clean_up_tokenization_spaces: false,
    bos_token: named("bos"),
    eos_token: named("eos"),
    pad_token: named("padding"),
    unk_token: null,
    chat_template: template,
  };
  return { tokenizer, config };
}

/** Makes the tokenizers of the miniature world from its vocabulary. */
import { WordTokenizer } from "../gguf/word-tokenizer.js";
import { DELTA_WORDS, WORDS } from "./vocabulary.js";

/** The tokenizer of the miniature's models: each of its words is one token. */
export const miniTokenizer = new WordTokenizer(WORDS);

/** That of models that know changes of rules, too. */
export const miniDeltaTokenizer = new WordTokenizer([...WORDS, ...DELTA_WORDS]);

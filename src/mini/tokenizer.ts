/** Makes the tokenizer of the miniature world from its vocabulary. */
import { WordTokenizer } from "../gguf/word-tokenizer.js";
import { WORDS } from "./vocabulary.js";

/** The tokenizer of the miniature's models: each of its words is one token. */
export const miniTokenizer = new WordTokenizer(WORDS);

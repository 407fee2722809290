/**
 * Tokenizers as GGUF metadata: a small one made here, and the real one of Qwen copied from the source of
 * llama.cpp that node-llama-cpp carries. Both are byte-level BPE, so every text survives a round trip.
 */
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { readGgufFileInfo } from "node-llama-cpp";
import { LseError } from "../errors.js";
import { byteLetters, CONTROL, NORMAL, USER_DEFINED } from "./byte-tokens.js";
import { bool, type GgufMetadata, i32s, string, strings, u32 } from "./writer.js";

export interface TokenizerMetadata {
  /** The `tokenizer.*` keys of a model file. */
  readonly metadata: GgufMetadata;
  /** Rows of the embedding. */
  readonly vocabulary: number;
}

const END_OF_TEXT = "<|endoftext|>";
const MESSAGE_START = "<|im_start|>";
const MESSAGE_END = "<|im_end|>";

/** The tags that answers and prompts are cut from: one token each, so that a random model writes some. */
const TAGS = ["<answer>", "</answer>", "<prompt>", "</prompt>"];

/** ChatML as Qwen uses it, without tools and thinking. No system message is added when there is none. */
export const CHAT_TEMPLATE = `{%- for message in messages -%}
{{- '${MESSAGE_START}' + message.role + '\\n' + message.content + '${MESSAGE_END}\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{- '${MESSAGE_START}assistant\\n' -}}
{%- endif -%}`;

const SMALL_VOCABULARY = 512;

/** What the small tokenizer's merges are learned from: the words and layout of text-to-SQL prompts. */
const SAMPLE = `You are given a database schema and a question. Write one SQLite query that answers the question.
Rules: use only the tables and columns of the schema. Return only the columns the question asks for.
Database schema:
CREATE TABLE customers ( customer_id INTEGER PRIMARY KEY, name TEXT, country TEXT, created_date DATE );
CREATE TABLE orders ( order_id INTEGER PRIMARY KEY, customer_id INTEGER, status TEXT, total REAL,
    FOREIGN KEY (customer_id) REFERENCES customers (customer_id) );
Question: How many customers are there in each country? What is the average total of the orders?
Question: List the names of all customers with the highest number of orders, in descending order.
Question: Which of them have more than the average value? Please list the first and the last name.
Hint: the number of orders refers to COUNT(order_id); the percentage = count / total * 100.
SELECT name FROM customers WHERE country = 'France' AND status IS NOT NULL ORDER BY name DESC LIMIT 1;
SELECT COUNT(DISTINCT T1.customer_id) FROM orders AS T1 INNER JOIN customers AS T2 ON T1.customer_id = T2.customer_id
SELECT AVG(total), SUM(total), MAX(total), MIN(total) FROM orders GROUP BY status HAVING COUNT(*) > 10
SELECT CAST(SUM(CASE WHEN status = 'open' THEN 1 ELSE 0 END) AS REAL) * 100 / COUNT(*) FROM orders
The answer is wrong because the query returned the wrong rows. The instructions should say which column to use.
Think step by step, check the result, and then write the final answer. The improved instructions are:
- When the question asks for a value, do not add other columns. - Use DISTINCT when a name can appear more than once.
Answer with the letter of the correct option only: (A), (B), (C) or (D).`;

/** Qwen2's split of a text into words, which merges never cross (`LLAMA_VOCAB_PRE_TYPE_QWEN2`). */
const WORDS =
  /'(?:[sS]|[tT]|[rR][eE]|[vV][eE]|[mM]|[lL][lL]|[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+/gu;

/**
 * A byte-level BPE tokenizer of 512 tokens: the 256 bytes, merges learned from common words of text-to-SQL
 * prompts, the tags `<answer>`, `</answer>`, `<prompt>`, `</prompt>` and the three control tokens of ChatML.
 */
export function smallTokenizer(): TokenizerMetadata {
  const bytes = byteLetters();
  const controls = [END_OF_TEXT, MESSAGE_START, MESSAGE_END];
  const words = (SAMPLE.match(WORDS) ?? []).map((word) =>
    Array.from(Buffer.from(word), (byte) => bytes[byte] as string),
  );
  const merges = learnMerges(words, SMALL_VOCABULARY - bytes.length - TAGS.length - controls.length);
  const ordinary = [...bytes, ...merges.map(([left, right]) => left + right)];
  const tokens = [...ordinary, ...TAGS, ...controls];
  const kinds = [
    ...ordinary.map(() => NORMAL),
    ...TAGS.map(() => USER_DEFINED),
    ...controls.map(() => CONTROL),
  ];
  return tokenizerMetadata(
    tokens,
    kinds,
    merges.map((pair) => pair.join(" ")),
  );
}

/**
 * The vocabulary of Qwen (151,936 tokens), read from `llama/gitRelease.bundle` of node-llama-cpp by git.
 * Takes about three seconds. Tokens past the three of ChatML are placeholders named `[PAD…]`.
 * @throws LseError when git or the bundle is missing
 */
export async function qwenTokenizer(): Promise<TokenizerMetadata> {
  const folder = await mkdtemp(join(tmpdir(), "lse-qwen-"));
  try {
    const path = join(folder, "vocabulary.gguf");
    await writeFile(path, await bundledFile(folder, "models/ggml-vocab-qwen2.gguf"));
    const info = await readGgufFileInfo(path, { sourceType: "filesystem", logWarnings: false });
    const { tokens, token_type: kinds, merges } = info.metadata.tokenizer.ggml;
    if (tokens === undefined || kinds === undefined || merges === undefined)
      throw new Error("models/ggml-vocab-qwen2.gguf holds no byte-level BPE vocabulary");
    return tokenizerMetadata(tokens, kinds, merges);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Ends a completion at the end of a message, as the instruction-tuned Qwen3 models do. */
function tokenizerMetadata(
  tokens: readonly string[],
  kinds: readonly number[],
  merges: readonly string[],
): TokenizerMetadata {
  const metadata: GgufMetadata = {
    "tokenizer.ggml.model": string("gpt2"),
    "tokenizer.ggml.pre": string("qwen2"),
    "tokenizer.ggml.tokens": strings(tokens),
    "tokenizer.ggml.token_type": i32s(kinds),
    "tokenizer.ggml.merges": strings(merges),
    "tokenizer.ggml.bos_token_id": u32(tokens.indexOf(END_OF_TEXT)),
    "tokenizer.ggml.eos_token_id": u32(tokens.indexOf(MESSAGE_END)),
    "tokenizer.ggml.padding_token_id": u32(tokens.indexOf(END_OF_TEXT)),
    "tokenizer.ggml.add_bos_token": bool(false),
    "tokenizer.chat_template": string(CHAT_TEMPLATE),
  };
  return { metadata, vocabulary: tokens.length };
}

/** The most frequent neighbours become one token, again and again; of equally frequent ones, those seen first. */
function learnMerges(words: string[][], count: number): [string, string][] {
  const merges: [string, string][] = [];
  for (let pass = 0; pass < count; pass++) {
    const pairs = new Map<string, { pair: [string, string]; uses: number }>();
    for (const word of words)
      for (let i = 1; i < word.length; i++) {
        const pair: [string, string] = [word[i - 1] as string, word[i] as string];
        const entry = pairs.get(pair.join(" ")) ?? { pair, uses: 0 };
        entry.uses++;
        pairs.set(pair.join(" "), entry);
      }
    let best: { pair: [string, string]; uses: number } | undefined;
    for (const entry of pairs.values()) if (best === undefined || entry.uses > best.uses) best = entry;
    if (best === undefined) throw new Error(`the sample gives ${pass} merges, not ${count}`);
    merges.push(best.pair);
    for (const word of words) applyMerge(word, best.pair);
  }
  return merges;
}

function applyMerge(word: string[], [left, right]: [string, string]): void {
  for (let i = 1; i < word.length; i++)
    if (word[i - 1] === left && word[i] === right) word.splice(i - 1, 2, left + right);
}

/** A file of llama.cpp's source at the version node-llama-cpp was built from. */
async function bundledFile(folder: string, path: string): Promise<Buffer> {
  const entry = createRequire(import.meta.url).resolve("node-llama-cpp");
  const bundle = join(entry, "..", "..", "llama", "gitRelease.bundle");
  const repository = join(folder, "source.git");
  const run = promisify(execFile);
  try {
    await run("git", ["clone", "--quiet", "--bare", bundle, repository]);
    const { stdout } = await run("git", ["--git-dir", repository, "show", `HEAD:${path}`], {
      encoding: "buffer",
      maxBuffer: 64 << 20,
    });
    return stdout;
  } catch (error) {
    const isGitMissing = error instanceof Error && "code" in error && error.code === "ENOENT";
    throw new LseError(
      isGitMissing
        ? "the Qwen vocabulary is unpacked by git, which is not installed"
        : `the Qwen vocabulary cannot be read from ${bundle}`,
      isGitMissing
        ? "Install git, or take the small tokenizer"
        : "Install node-llama-cpp again, or take the small tokenizer",
      { cause: error },
    );
  }
}

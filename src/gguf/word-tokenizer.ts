/**
 * A tokenizer for a closed language: every word is one token, the blank before it included, and whatever is not
 * such a word falls into its bytes. Because words are user-defined tokens, llama.cpp finds them before any other
 * step of its own, the longest first (`tokenizer_st_partition` in llama-vocab.cpp), so that `encode` here can be
 * the same on every text without a copy of its pre-tokenizer.
 */
import type { ChatMessage } from "../model.js";
import { byteLetters, CONTROL, NORMAL, USER_DEFINED } from "./byte-tokens.js";
import { bool, type GgufMetadata, i32s, string, strings, u32 } from "./writer.js";

/** Ends a message of the assistant, and so a completion. */
const STOP = "<|stop|>";
const ROLES: Readonly<Record<ChatMessage["role"], string>> = {
  system: "<|system|>",
  user: "<|user|>",
  assistant: "<|assistant|>",
};

/** A role is one token; the blank makes the first word of a message a word like any other. */
const TEMPLATE = `{%- for message in messages -%}
{{- '<|' + message.role + '|> ' + message.content -}}
{%- if message.role == 'assistant' -%}{{- '${STOP}' -}}{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{- '${ROLES.assistant}' -}}
{%- endif -%}`;

/** A text in parts that words cannot reach across. */
const PIECES = /^[^ ]+| [^ ]*/g;

export class WordTokenizer {
  /** Tokens in the order of their ids: control tokens, words, bytes. */
  readonly #tokens: readonly string[];
  readonly #ids: ReadonlyMap<string, number>;
  readonly #firstByte: number;
  readonly #word: RegExp;

  /** @param words without blanks in them, each once. @throws RangeError otherwise */
  constructor(words: readonly string[]) {
    const bad = words.find((word, i) => !/^\S+$/.test(word) || words.indexOf(word) !== i);
    if (bad !== undefined) throw new RangeError(`"${bad}" is no word, or is there twice`);
    const controls = [STOP, ...Object.values(ROLES)];
    const spaced = words.map((word) => ` ${word}`);
    this.#firstByte = controls.length + spaced.length;
    this.#tokens = [...controls, ...spaced, ...byteLetters()];
    this.#ids = new Map([...controls, ...spaced].map((token, id) => [token, id]));
    // The longest first, as llama.cpp tries them. Words begin with their only blank and so never overlap.
    const longestFirst = [...spaced].sort((a, b) => b.length - a.length);
    this.#word = new RegExp(`(${longestFirst.map((word) => word.replace(/[^\w ]/g, "\\$&")).join("|")})`);
  }

  /** Rows of the embedding. */
  get vocabulary(): number {
    return this.#tokens.length;
  }

  /** The token that ends a completion. */
  get stop(): number {
    return this.#id(STOP);
  }

  /** The `tokenizer.*` keys of a model file. */
  get metadata(): GgufMetadata {
    const words = this.#firstByte - 1 - Object.keys(ROLES).length;
    const kinds = [
      ...this.#tokens.slice(0, this.#firstByte - words).map(() => CONTROL),
      ...this.#tokens.slice(0, words).map(() => USER_DEFINED),
      ...this.#tokens.slice(this.#firstByte).map(() => NORMAL),
    ];
    return {
      "tokenizer.ggml.model": string("gpt2"),
      "tokenizer.ggml.pre": string("qwen2"),
      "tokenizer.ggml.tokens": strings(this.#tokens),
      "tokenizer.ggml.token_type": i32s(kinds),
      "tokenizer.ggml.merges": strings([]),
      "tokenizer.ggml.bos_token_id": u32(this.stop),
      "tokenizer.ggml.eos_token_id": u32(this.stop),
      "tokenizer.ggml.padding_token_id": u32(this.stop),
      "tokenizer.ggml.add_bos_token": bool(false),
      "tokenizer.chat_template": string(TEMPLATE),
    };
  }

  /** Token ids of plain text, as llama.cpp gives them: the first word is one only with a blank before it. */
  encode(text: string): number[] {
    return (text.match(PIECES) ?? []).flatMap((piece) => this.#ids.get(piece) ?? this.#encodeUnknown(piece));
  }

  /** A prompt as the chat template renders it, the opening of the assistant's turn included. */
  encodePrompt(messages: readonly ChatMessage[]): number[] {
    const turns = messages.flatMap(({ role, content }) => [
      this.#id(ROLES[role]),
      ...this.encode(` ${content}`),
      ...(role === "assistant" ? [this.stop] : []),
    ]);
    return [...turns, this.#id(ROLES.assistant)];
  }

  /** A completion with its end: what a model is trained to generate. */
  encodeCompletion(text: string): number[] {
    return [...this.encode(` ${text}`), this.stop];
  }

  /** The text of tokens; control tokens have none. @throws RangeError for an id out of range */
  decode(ids: readonly number[]): string {
    const parts = ids.map((id) => {
      const token = this.#tokens[id];
      if (token === undefined) throw new RangeError(`there is no token ${id}`);
      if (id >= this.#firstByte) return Buffer.from([id - this.#firstByte]);
      return Buffer.from(token.startsWith(" ") ? token : "");
    });
    return Buffer.concat(parts).toString("utf8");
  }

  /** What is no word may begin with one; the rest are bytes. */
  #encodeUnknown(piece: string): number[] {
    return piece.split(this.#word).flatMap((part, i) => {
      if (i % 2 === 1) return [this.#id(part)];
      return Array.from(Buffer.from(part), (byte) => this.#firstByte + byte);
    });
  }

  #id(token: string): number {
    return this.#ids.get(token) as number;
  }
}

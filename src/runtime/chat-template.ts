/** Chat templates: from messages to tokens. */
import { Template } from "@huggingface/jinja";
import { LseError } from "../errors.js";
import type { ChatMessage } from "../model.js";

/** What the template needs from a tokenizer. */
export interface Vocabulary {
  /** Plain text to token ids; text that looks like a control token stays text. */
  tokenize(text: string): number[];
  /** Control tokens such as `<|im_start|>`: text to token id. */
  readonly controlTokens: ReadonlyMap<string, number>;
  readonly bos: { readonly token: number; readonly text: string; readonly prepend: boolean } | null;
  readonly eosText: string | null;
}

/**
 * Renders messages with a model's own chat template and tokenises the result.
 *
 * The text of a message is hostile (instructions are written by a model): only the template may open and
 * close turns. So the template is rendered with a placeholder in place of each content, its control tokens
 * are recognised there, and the contents are put back as plain text.
 */
export class ChatTemplate {
  readonly #template: Template;
  readonly #vocabulary: Vocabulary;
  readonly #controlToken: RegExp;

  /** @param origin the file the template comes from, for error messages */
  constructor(
    source: string,
    vocabulary: Vocabulary,
    private readonly origin: string,
  ) {
    try {
      this.#template = new Template(source);
    } catch (cause) {
      throw new LseError(
        `${origin}: the chat template is not one that this program can read`,
        "Use a file with the model's original chat template",
        { cause },
      );
    }
    this.#vocabulary = vocabulary;
    const longestFirst = [...vocabulary.controlTokens.keys()].sort((a, b) => b.length - a.length);
    this.#controlToken = new RegExp(`(${longestFirst.map(escapeRegExp).join("|") || "(?!)"})`);
  }

  /** The prompt's token ids, the opening of the assistant's turn included. */
  encode(messages: readonly ChatMessage[]): number[] {
    const rendered = this.#render(messages.map(({ role }, i) => ({ role, content: placeholder(i) })));
    const tokens: number[] = [];
    let text = "";
    const flush = () => {
      if (text !== "") tokens.push(...this.#vocabulary.tokenize(text));
      text = "";
    };
    for (const [i, piece] of rendered.split(PLACEHOLDER).entries()) {
      if (i % 2 === 1) {
        text += messages[Number(piece)]?.content ?? "";
        continue;
      }
      for (const part of piece.split(this.#controlToken)) {
        const control = this.#vocabulary.controlTokens.get(part);
        if (control === undefined) {
          text += part;
        } else {
          flush();
          tokens.push(control);
        }
      }
    }
    flush();
    const { bos } = this.#vocabulary;
    if (bos?.prepend && tokens[0] !== bos.token) tokens.unshift(bos.token);
    return tokens;
  }

  #render(messages: readonly ChatMessage[]): string {
    try {
      return this.#template.render({
        messages,
        add_generation_prompt: true,
        bos_token: this.#vocabulary.bos?.text ?? "",
        eos_token: this.#vocabulary.eosText ?? "",
      });
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new LseError(
        `${this.origin}: its chat template does not accept these messages (${why})`,
        "Use a model whose template takes a system and a user message",
        { cause },
      );
    }
  }
}

// Private-use characters: no template treats them specially, and none occurs in one.
const placeholder = (index: number) => `\u{F0000}${index}\u{F0001}`;
const PLACEHOLDER = /\u{F0000}(\d+)\u{F0001}/u;

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

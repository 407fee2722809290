/** Chat templates: from messages to tokens. */
import { LseError } from "../errors.js";
import { reasonOf } from "../lib/printable.js";
import type { ChatMessage } from "../model.js";
import type { TemplateSettings } from "./template-choice.js";
import { TemplateRenderer } from "./template-renderer.js";

/** What the template needs from a tokenizer. */
export interface Vocabulary {
  /** Plain text to token ids; text that looks like a control token stays text. */
  tokenize(text: string): number[];
  /** Control tokens such as `<|im_start|>`: text to token id. */
  readonly controlTokens: ReadonlyMap<string, number>;
  readonly bos: { readonly token: number; readonly text: string; readonly prepend: boolean } | null;
  readonly eosText: string | null;
}

/** A rendered prompt: texts, and control tokens by their text between them. */
type Piece = { readonly text: string } | { readonly control: string };

/**
 * Renders messages with a model's own chat template and tokenises the result.
 *
 * The text of a message is hostile (instructions are written by a model): only the template may open and close turns.
 * So a prompt is rendered twice. Once with each message's text replaced by a placeholder between the blanks it begins
 * and ends with: that shows which control tokens are the template's, and whether it trims. And once with the texts
 * themselves, in which control tokens are broken up: so a template may look into them, split, replace and shorten
 * them. Where a text brings about other control tokens than its placeholder, or an error, the first rendering is taken,
 * with the texts put in where their placeholders are.
 */
export class ChatTemplate {
  readonly #renderer: TemplateRenderer;
  readonly #vocabulary: Vocabulary;
  readonly #controlToken: RegExp;
  readonly #arguments: TemplateSettings["arguments"];
  /** Whether the template has no place for a system's message of its own. */
  readonly #mergesSystem: boolean;

  /**
   * @param origin the file the template comes from, for error messages
   * @throws LseError for a template that cannot be read, runs too long, or leaves messages out
   */
  constructor(
    source: string,
    vocabulary: Vocabulary,
    private readonly origin: string,
    settings: Pick<TemplateSettings, "arguments"> = {},
  ) {
    try {
      this.#renderer = new TemplateRenderer(source);
    } catch (cause) {
      throw new LseError(
        `${origin}: the chat template is not one that this program can read (${reasonOf(cause)})`,
        "Use a file with the model's original chat template, or choose one with `model.template.name`",
        { cause },
      );
    }
    this.#vocabulary = vocabulary;
    this.#arguments = settings.arguments;
    const longestFirst = [...vocabulary.controlTokens.keys()].sort((a, b) => b.length - a.length);
    this.#controlToken = new RegExp(`(${longestFirst.map(escapeRegExp).join("|") || "(?!)"})`, "g");
    this.#mergesSystem = !this.#takesSystem();
  }

  /** The prompt's token ids, the opening of the assistant's turn included. */
  encode(messages: readonly ChatMessage[]): number[] {
    const tokens = this.#pieces(this.#mergesSystem ? withSystemInUser(messages) : messages).flatMap(
      (piece) =>
        "control" in piece
          ? (this.#vocabulary.controlTokens.get(piece.control) as number)
          : this.#vocabulary.tokenize(piece.text),
    );
    const { bos } = this.#vocabulary;
    if (bos?.prepend && tokens[0] !== bos.token) tokens.unshift(bos.token);
    return tokens;
  }

  /** Whether what a system says appears in the prompt. Makes sure that what a user says does. */
  #takesSystem(): boolean {
    const user: ChatMessage = { role: "user", content: "question" };
    try {
      return placeholdersIn(this.#skeleton([{ role: "system", content: "rules" }, user])).has(0);
    } catch {
      // Without the system's message there is an error if that was not its cause.
      this.#skeleton([user]);
      return false;
    }
  }

  #pieces(messages: readonly ChatMessage[]): Piece[] {
    const contents = messages.map(({ content }) => content);
    const skeleton = this.#skeleton(messages);
    const safe = this.#split(skeleton.split(PLACEHOLDER), (index) => contents[index]?.trim() ?? "");
    if (contents.some((content) => content.includes(BREAK))) return safe;
    let rendered: string;
    try {
      const broken = (content: string) =>
        content.replace(this.#controlToken, (found) => found[0] + BREAK + found.slice(1));
      rendered = this.#render(messages.map(({ role, content }) => ({ role, content: broken(content) })));
    } catch {
      return safe;
    }
    const pieces = this.#split([rendered], () => "").map((piece) =>
      "text" in piece ? { text: piece.text.replaceAll(BREAK, "") } : piece,
    );
    return controlsOf(pieces) === controlsOf(safe) ? pieces : safe;
  }

  /**
   * The prompt with placeholders.
   * @throws LseError where the template refuses the messages, or leaves out what a user says
   */
  #skeleton(messages: readonly ChatMessage[]): string {
    let rendered: string;
    try {
      rendered = this.#render(
        messages.map(({ role, content }, i) => ({ role, content: withPlaceholder(content, i) })),
      );
    } catch (cause) {
      throw new LseError(
        `${this.origin}: its chat template does not accept these messages (${reasonOf(cause)})`,
        "Use a model whose template takes a system and a user message, or choose one with `model.template.name`",
        { cause },
      );
    }
    const found = placeholdersIn(rendered);
    if (messages.some(({ role, content }, i) => role === "user" && content.trim() !== "" && !found.has(i)))
      throw new LseError(
        `${this.origin}: its chat template leaves out what the user says`,
        "Use a file with the model's original chat template, or choose one with `model.template.name`",
      );
    return rendered;
  }

  #render(messages: readonly ChatMessage[]): string {
    return this.#renderer.render({
      bos_token: this.#vocabulary.bos?.text ?? "",
      eos_token: this.#vocabulary.eosText ?? "",
      ...this.#arguments,
      messages,
      add_generation_prompt: true,
    });
  }

  /** @param parts of a prompt: the template's, and between each two the number of a content, which `fill` knows */
  #split(parts: readonly string[], fill: (index: number) => string): Piece[] {
    const pieces: Piece[] = [];
    let text = "";
    const flush = () => {
      if (text !== "") pieces.push({ text });
      text = "";
    };
    for (const [i, part] of parts.entries()) {
      if (i % 2 === 1) {
        text += fill(Number(part));
        continue;
      }
      for (const [j, piece] of part.split(this.#controlToken).entries()) {
        if (j % 2 === 0) {
          text += piece;
        } else {
          flush();
          pieces.push({ control: piece });
        }
      }
    }
    flush();
    return pieces;
  }
}

/** For templates without a system's turn: its text and a blank line before what the first user says, as llama.cpp does. */
function withSystemInUser(messages: readonly ChatMessage[]): ChatMessage[] {
  const [system, ...others] = messages;
  if (system?.role !== "system") return [...messages];
  const first = others.findIndex(({ role }) => role === "user");
  if (first < 0) return [{ role: "user", content: system.content }, ...others];
  const merge = (content: string) => [system.content, content].filter((text) => text !== "").join("\n\n");
  return others.map((message, i) =>
    i === first ? { ...message, content: merge(message.content) } : message,
  );
}

const controlsOf = (pieces: readonly Piece[]) =>
  pieces.flatMap((piece) => ("control" in piece ? [piece.control] : [])).join("\n");

// Private-use characters: no template treats them specially, and none occurs in one.
const PLACEHOLDER = /\u{F0000}(\d+)\u{F0001}/u;
const BREAK = "\u{F0002}";

/** What stands for a text: its number, between the blanks that a template may trim. */
function withPlaceholder(content: string, index: number): string {
  const text = content.trim();
  if (text === "") return content;
  const start = content.indexOf(text);
  return `${content.slice(0, start)}\u{F0000}${index}\u{F0001}${content.slice(start + text.length)}`;
}

/** The numbers of the texts that a rendering has. */
const placeholdersIn = (rendered: string) =>
  new Set(
    rendered
      .split(PLACEHOLDER)
      .filter((_, i) => i % 2 === 1)
      .map(Number),
  );

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

/** What the answer of a chat service holds, whichever way it is written. */
import { shortLine } from "../../lib/printable.js";
import { withoutSecret } from "../../lib/secret.js";
import { jsonIn, refusalOf, textOfPage } from "./refusal.js";
import { Unreadable } from "./transport.js";

type Fields = Readonly<Record<string, unknown>>;

/**
 * The object that an answer with status 200 is.
 * @throws Refusal for an error inside it; Unreadable for anything else
 */
export function objectIn(text: string, headers: Headers, apiKey: string | undefined): Fields {
  const value = jsonIn(text);
  if (value === undefined) {
    const words = shortLine(withoutSecret(textOfPage(text), apiKey), 200);
    throw new Unreadable(words === "" ? "it is empty" : `it is no JSON, or is cut off: ${words}`);
  }
  const answer = Array.isArray(value) && value.length === 1 ? value[0] : value;
  if (!isObject(answer)) throw new Unreadable("it is no JSON object");
  const { error } = answer;
  const isError = answer.type === "error" || answer.object === "error";
  if ((error !== undefined && error !== null && error !== false && error !== "") || isError) {
    const code = [isObject(error) ? error.code : null, answer.code, answer.status].map(Number);
    const status = code.find((each) => Number.isInteger(each) && each >= 400 && each < 600) ?? 200;
    throw refusalOf(status, JSON.stringify(answer), headers, apiKey);
  }
  return answer;
}

export const isObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The text of a message, and its reasoning apart from it. */
export interface Content {
  readonly text: string;
  readonly reasoning: string;
}

/**
 * @param content a text or a list of parts
 * @throws Unreadable for another type
 */
export function contentOf(content: unknown): Content {
  if (typeof content === "string") return { text: content, reasoning: "" };
  if (!Array.isArray(content)) throw new Unreadable("its content is neither a text nor a list");
  let [text, reasoning] = ["", ""];
  for (const part of content as unknown[]) {
    if (typeof part === "string") text += part;
    else if (!isObject(part)) throw new Unreadable("a part of its content is no object");
    else if (REASONING.includes(String(part.type))) reasoning += reasoningIn(part);
    else if (part.type === undefined || TEXT.includes(String(part.type))) {
      if (typeof part.text !== "string") throw new Unreadable("a part of its content has no text");
      text += part.text;
    }
  }
  return { text, reasoning };
}

const TEXT = ["text", "output_text"];
const REASONING = ["thinking", "reasoning", "redacted_thinking", "reasoning_text", "summary_text"];

/** Of any form: it only counts as what was paid for. */
export function reasoningIn(value: unknown, depth = 0): string {
  if (typeof value === "string") return value;
  if (typeof value !== "object" || value === null || depth > 4) return "";
  if (Array.isArray(value)) return value.map((each) => reasoningIn(each, depth + 1)).join("");
  const { thinking, reasoning, text, summary } = value as Fields;
  return reasoningIn(thinking ?? reasoning ?? text ?? summary, depth + 1);
}

/** A number of tokens; null for what is none. */
export const countIn = (value: unknown): number | null =>
  Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : null;

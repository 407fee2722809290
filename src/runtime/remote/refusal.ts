/** What a service says against a request, in whatever form it says so. */
import { shortLine } from "../../lib/printable.js";
import { LONGEST_RETRY_AFTER_MS, retryAfterMs } from "../../lib/retry-after.js";
import { withoutSecret } from "../../lib/secret.js";

/** A service answered with an error instead of a completion. */
export class Refusal extends Error {
  /** What it asks to wait, in milliseconds; null where it does not say. */
  readonly waitMs: number | null;

  /**
   * @param status of HTTP, or the one inside an answer with status 200
   * @param message the service's own words, on one line and without the key
   * @param parameter of the request that it names apart from its message
   */
  constructor(
    readonly status: number,
    message: string,
    readonly parameter: string | null,
    headers: Headers,
  ) {
    super(message);
    this.waitMs = retryAfterMs(headers);
  }

  /** Whether the same request may be answered later. */
  get isPassing(): boolean {
    if ((this.waitMs ?? 0) > LONGEST_RETRY_AFTER_MS) return false;
    return this.status < 300 || this.status >= 500 || PASSING.includes(this.status);
  }

  /** Whether it may be about a parameter of the request. */
  get isAboutRequest(): boolean {
    return (
      this.status === 200 || (this.status >= 400 && this.status < 500 && !NOT_REQUEST.includes(this.status))
    );
  }
}

/** A request timeout, a conflict, too early, too many requests. */
const PASSING = [408, 409, 425, 429];
/** The key, the account, the size. */
const NOT_REQUEST = [401, 402, 403, 413, ...PASSING];

/** @param text the whole body of an answer that is an error */
export function refusalOf(
  status: number,
  text: string,
  headers: Headers,
  apiKey: string | undefined,
): Refusal {
  const body = jsonIn(text);
  const words = (body === undefined ? textOfPage(text) : wordsIn(body)) || "it does not say why";
  // The key goes before the text is cut: a part of it would not be found.
  return new Refusal(status, shortLine(withoutSecret(words, apiKey)), parameterIn(body), headers);
}

/** @returns undefined where there is none */
export function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch {
    return undefined;
  }
}

/** Fields that hold an error's words, or an object that holds them. */
const WORDS = ["error", "message", "detail", "details", "msg", "errors", "title", "type"];
const DEEPEST = 6;

function wordsIn(value: unknown, depth = 0): string {
  if (typeof value === "string") return value;
  if (typeof value !== "object" || value === null || depth > DEEPEST) return "";
  if (Array.isArray(value)) {
    const words = value.slice(0, 8).map((each) => wordsIn(each, depth + 1));
    return words.filter((each) => each !== "").join("; ");
  }
  const fields = value as Record<string, unknown>;
  const place = Array.isArray(fields.loc) ? `${fields.loc.join(".")}: ` : "";
  // A service in front of others repeats there what it was told.
  const { raw } = (fields.metadata ?? {}) as { raw?: unknown };
  const behind = typeof raw === "string" ? `: ${raw}` : "";
  for (const name of WORDS) {
    const words = wordsIn(fields[name], depth + 1);
    if (words !== "") return place + words + behind;
  }
  return depth === 0 ? JSON.stringify(value) : "";
}

function parameterIn(value: unknown, depth = 0): string | null {
  if (typeof value !== "object" || value === null || depth > DEEPEST) return null;
  const { param, parameter, loc } = value as Readonly<Record<string, unknown>>;
  // "seed", "body.seed" or ["body", "seed"].
  for (const path of [param, parameter, loc]) {
    const name = Array.isArray(path) ? path.at(-1) : path;
    if (typeof name === "string" && name !== "") return name.slice(name.lastIndexOf(".") + 1);
  }
  const inner = Array.isArray(value)
    ? value.slice(0, 8)
    : WORDS.map((name) => (value as Record<string, unknown>)[name]);
  for (const each of inner) {
    const found = parameterIn(each, depth + 1);
    if (found !== null) return found;
  }
  return null;
}

/** The words of a page, or of a plain text. */
export function textOfPage(text: string): string {
  return text
    .slice(0, 100_000)
    .replace(/<(script|style)\b[\s\S]*?(<\/\1\s*>|$)/gi, " ")
    .replace(/<[^<>]*>/g, " ");
}

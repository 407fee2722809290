/** Parameters that a model does not take: left out or sent under another name, from the first refusal on. */
import { Refusal } from "./refusal.js";

/** Of two that a model does not take together the first here goes: the temperature matters most. */
const DROPPABLE = [
  "top_p",
  "min_p",
  "top_k",
  "presence_penalty",
  "seed",
  "stop_sequences",
  "stop",
  "temperature",
];

/** The limit of length is never left out: without it, a completion may cost anything. */
const RENAMED: Readonly<Record<string, string>> = {
  max_tokens: "max_completion_tokens",
  max_completion_tokens: "max_tokens",
};

/** Refusals that name parameters and are about something else. */
const OTHER_REASON =
  /context[ _-]?(length|window|size)|maximum context|prompt is too long|too many tokens|model\b.{0,80}\b(not exist|not found)|no such model|api key/i;
/** A limit of length that is refused as such, and not for its value. */
const UNKNOWN_PARAMETER =
  /max_completion_tokens.*instead|use '?`?"?max_|not\s+support|unsupported|unknown|unrecogni[sz]ed|unexpected|extra |not (permitted|allowed)|deprecated|cannot find field/i;
const WRONG_VALUE = /too (large|high|big|long)|at most|less than|exceed|maximum (value|number)|range/i;

/** What one model was found not to take. */
export class Parameters {
  /** By the parameter: the name that it is sent under instead; null for none. */
  readonly #refused = new Map<string, string | null>();

  /** @param onRefused told once for each parameter, with the name that replaces it or null */
  constructor(private readonly onRefused: (parameter: string, replacement: string | null) => void) {}

  /**
   * Asks with all of `parameters` but those that the model has refused before; when it refuses one, asks again.
   * @throws what `ask` throws, unless it is the `Refusal` of a parameter
   */
  async ask<P extends object, T>(parameters: P, ask: (parameters: P) => Promise<T>): Promise<T> {
    for (;;) {
      const kept = this.#kept(parameters);
      try {
        return await ask(Object.fromEntries(kept) as P);
      } catch (error) {
        if (!(error instanceof Refusal) || !error.isAboutRequest) throw error;
        const refused = refusedIn(error, [...kept.keys()]);
        // A service that takes neither name of the limit of length cannot be asked.
        if (refused === undefined || [...this.#refused.values()].includes(refused)) throw error;
        // Requests under way at once are refused at once.
        if (this.#refused.has(refused)) continue;
        const replacement = RENAMED[refused] ?? null;
        this.#refused.set(refused, replacement);
        this.onRefused(refused, replacement);
      }
    }
  }

  #kept(parameters: object): Map<string, unknown> {
    const kept = new Map<string, unknown>();
    for (const [name, value] of Object.entries(parameters)) {
      const sent = this.#refused.has(name) ? this.#refused.get(name) : name;
      if (sent != null) kept.set(sent, value);
    }
    return kept;
  }
}

/** @param sent names of the parameters of the request */
function refusedIn({ message, parameter }: Refusal, sent: readonly string[]): string | undefined {
  if (OTHER_REASON.test(message)) return undefined;
  const isUnknown = (name: string) => name === parameter || UNKNOWN_PARAMETER.test(message);
  const isRefused = (name: string) =>
    DROPPABLE.includes(name) || (name in RENAMED && isUnknown(name) && !WRONG_VALUE.test(message));
  if (parameter !== null && sent.includes(parameter)) return isRefused(parameter) ? parameter : undefined;
  const named = sent
    .map((name) => ({ name, at: message.search(mentionOf(name, message)) }))
    .filter(({ name, at }) => at >= 0 && isRefused(name));
  // "'min_p' is unknown; known are 'top_p' …" is about the first, unless it is about two together.
  const isOfTwo = /\b(both|together|either)\b/i.test(message);
  const rank = ({ name, at }: { name: string; at: number }) => (isOfTwo ? DROPPABLE.indexOf(name) : at);
  return named.sort((a, b) => rank(a) - rank(b))[0]?.name;
}

/** Names that are words of other sentences too. */
const COMMON_WORDS = ["stop", "seed"];

/** Finds a name, also as topK; a common word only in quotes, unless the message is about parameters. */
function mentionOf(name: string, message: string): RegExp {
  const spelled = name.replaceAll("_", "_?");
  const isPlain =
    !COMMON_WORDS.includes(name) ||
    UNKNOWN_PARAMETER.test(message) ||
    /\b(parameter|argument|field|option)s?\b/i.test(message);
  return isPlain
    ? new RegExp(`(?<![a-z0-9_])${spelled}(?![a-z0-9_])`, "i")
    : new RegExp(`['"\`.]${spelled}['"\`:]|^${spelled}:`, "i");
}

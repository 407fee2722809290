/** Keys and tokens from the environment. */
import { LseError } from "../errors.js";

/**
 * The secret in an environment variable, without blanks and line breaks around it; undefined where there is none.
 * @throws LseError that does not repeat it, where it cannot be sent in a header
 */
export function secretIn(variable: string): string | undefined {
  const secret = process.env[variable]?.trim();
  if (secret === undefined || secret === "") return undefined;
  if (/^[\x21-\x7e]+$/.test(secret)) return secret;
  throw new LseError(
    `${variable} has a blank, a line break or a special character in it`,
    "Set it to the key alone",
  );
}

/** Shorter ones, such as "none", stand for no secret; within other words they would only make texts unreadable. */
const SHORTEST = 8;

/** A text without a secret, also as it stands in addresses. */
export function withoutSecret(text: string, secret: string | undefined): string {
  if (secret === undefined) return text;
  if (secret.length < SHORTEST) return text.replace(/[\w-]+/g, (word) => (word === secret ? "***" : word));
  return text.replaceAll(secret, "***").replaceAll(encodeURIComponent(secret), "***");
}

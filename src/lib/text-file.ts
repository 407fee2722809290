/** Reads text files as other programs write them: UTF-8 or UTF-16, with or without a byte-order mark. */
import { readFileSync } from "node:fs";
import { LseError } from "../errors.js";

/** @throws LseError naming the file, and the line of the first byte that is not text */
export function readTextFile(path: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new LseError(`${path}: cannot read it (${why})`, "Check the path and its permissions", { cause });
  }
  const encoding = encodingOf(bytes);
  try {
    // The decoder leaves out the mark.
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch (cause) {
    const name = encoding.toUpperCase();
    const line = encoding === "utf-8" ? `: line ${lineOfBadByte(bytes)}` : "";
    throw new LseError(`${path}${line}: not a text in ${name}`, "Save it as UTF-8", { cause });
  }
}

/** The encoding that the first bytes of a text show; UTF-8 if they show none. */
export function encodingOf(bytes: Uint8Array): "utf-8" | "utf-16le" | "utf-16be" {
  const [first, second] = bytes;
  if (first === 0xff && second === 0xfe) return "utf-16le";
  if (first === 0xfe && second === 0xff) return "utf-16be";
  // Without a mark: the first character is below 256, and no text begins with the character 0.
  if (first !== undefined && second !== undefined && (first === 0) !== (second === 0))
    return second === 0 ? "utf-16le" : "utf-16be";
  return "utf-8";
}

/** @returns a line number, from 1 */
function lineOfBadByte(bytes: Buffer): number {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const lines = bytes.toString("latin1").split("\n");
  const bad = lines.findIndex((line) => {
    try {
      decoder.decode(Buffer.from(line, "latin1"));
      return false;
    } catch {
      return true;
    }
  });
  return bad < 0 ? lines.length : bad + 1;
}

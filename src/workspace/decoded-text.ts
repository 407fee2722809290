/** Reads the text of large files piece by piece, whatever it is encoded in. */
import { createReadStream } from "node:fs";
import { createGunzip } from "node:zlib";
import { LseError } from "../errors.js";
import { encodingOf } from "../lib/text-file.js";

const PIECE = 2 ** 20;

export type TextEncodingName = ReturnType<typeof encodingOf> | "windows-1252";

/** What is no text in UTF-8. */
export class NotUtf8 extends Error {}

/** The encoding that the first bytes of a file show. */
export async function encodingOfFile(path: string): Promise<TextEncodingName> {
  for await (const bytes of bytesOf(path)) return encodingOf(bytes);
  return "utf-8";
}

/**
 * The text of a file, or of a `.gz` file, without its byte-order mark.
 * @throws NotUtf8
 * @throws LseError for a file that cannot be read, or is not in its encoding
 */
export async function* textOf(path: string, encoding: TextEncodingName): AsyncGenerator<string> {
  const decoder = new TextDecoder(encoding, { fatal: true });
  const decode = (bytes?: Uint8Array) => {
    try {
      return decoder.decode(bytes, { stream: bytes !== undefined });
    } catch (cause) {
      if (encoding === "utf-8") throw new NotUtf8("not UTF-8", { cause });
      throw new LseError(`${path}: not a text in ${encoding.toUpperCase()}`, "Save it as UTF-8", { cause });
    }
  };
  let lines = 1;
  for await (const bytes of bytesOf(path)) {
    if (encoding === "windows-1252") lines += requireWindows1252(bytes, path, lines);
    yield decode(bytes);
  }
  yield decode();
}

/**
 * What Windows-1252 has no characters for, what is UTF-8 with a few damaged bytes, and runs of letters with marks, which
 * are text in another script.
 */
const NOT_1252 = /[\0\x81\x8d\x8f\x90\x9d]|[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\x80-\xff]{4}/;

/** @returns how many lines end in these bytes @throws LseError */
function requireWindows1252(bytes: Buffer, path: string, line: number): number {
  const text = bytes.toString("latin1");
  const bad = NOT_1252.exec(text);
  if (bad !== null) {
    const at = line + text.slice(0, bad.index).split("\n").length - 1;
    throw new LseError(
      `${path}: line ${at}: not a text in UTF-8, and not one in Windows-1252 either`,
      "Save it as UTF-8",
    );
  }
  return text.split("\n").length - 1;
}

async function* bytesOf(path: string): AsyncGenerator<Buffer> {
  const file = createReadStream(path, { highWaterMark: PIECE });
  const stream = path.toLowerCase().endsWith(".gz") ? createGunzip({ chunkSize: PIECE }) : null;
  if (stream !== null) file.on("error", (error) => stream.destroy(error)).pipe(stream);
  try {
    yield* (stream ?? file) as AsyncIterable<Buffer>;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new LseError(`${path}: cannot read it (${why})`, "Check the file, or fetch it again", { cause });
  } finally {
    file.destroy();
  }
}

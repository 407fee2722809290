/** GGUF models in several files, as llama-gguf-split names them: NAME-00001-of-00003.gguf. */
import { existsSync } from "node:fs";
import { LseError } from "../errors.js";
import { hashFile, hashJson } from "../lib/hash.js";

const PART = /-(\d{5})-of-(\d{5})\.gguf$/;

/**
 * The files of a model, in order; one alone where the name is not that of a part.
 * @throws LseError naming the first file that is missing, and for a path that is not that of the first part
 */
export function partsOf(path: string): string[] {
  const match = PART.exec(path);
  if (match === null) return [path];
  const [number, count] = [Number(match[1]), Number(match[2])];
  const part = (no: number) =>
    `${path.slice(0, match.index)}-${String(no).padStart(5, "0")}-of-${match[2]}.gguf`;
  if (number !== 1)
    throw new LseError(`${path}: part ${number} of a model in ${count} files`, `Give the first, ${part(1)}`);
  const parts = [path];
  for (let no = 2; no <= count; no++) {
    if (!existsSync(part(no)))
      throw new LseError(
        `${part(no)}: no such file, and the model in ${path} goes on there`,
        `Put all ${count} parts into one folder`,
      );
    parts.push(part(no));
  }
  return parts;
}

/** SHA-256 of a model's file, in hex; of one in several files, that of their hashes. */
export async function hashModel(path: string): Promise<string> {
  const hashes: string[] = [];
  for (const part of partsOf(path)) hashes.push(await hashFile(part));
  return hashes.length === 1 ? (hashes[0] as string) : hashJson(hashes);
}

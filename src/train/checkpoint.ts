/** Checkpoints: safetensors files of flat arrays, with a document about them. */
import { z } from "zod";
import { LseError } from "../errors.js";
import { parseJson } from "../lib/json-file.js";
import { readSafetensors, writeSafetensors } from "./safetensors.js";

/** Its name in the folder of a training. */
export const CHECKPOINT = "checkpoint.safetensors";

export interface Checkpoint {
  readonly tensors: Readonly<Record<string, Float32Array>>;
  /** Anything JSON can hold. */
  readonly about: unknown;
}

const metadataSchema = z.object({ lse: z.string() });

/** Under `path` there is either what was there before or the whole file, even after a power cut. */
export async function writeCheckpoint(path: string, { tensors, about }: Checkpoint): Promise<void> {
  const flat = Object.entries(tensors).map(
    ([name, values]) => [name, { shape: [values.length], values }] as const,
  );
  await writeSafetensors(path, {
    tensors: Object.fromEntries(flat),
    metadata: { lse: JSON.stringify(about) },
  });
}

/** @throws LseError for a file that is not a whole checkpoint */
export async function readCheckpoint(path: string): Promise<Checkpoint> {
  const { tensors, metadata } = await readSafetensors(path);
  const known = metadataSchema.safeParse(metadata);
  if (!known.success)
    throw new LseError(`${path} is not a checkpoint of a training`, "Take another one, or begin again");
  const flat = Object.entries(tensors).map(([name, { values }]) => [name, values] as const);
  return { tensors: Object.fromEntries(flat), about: parseJson(known.data.lse, path) };
}

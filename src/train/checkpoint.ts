/**
 * Checkpoints: one file in the safetensors format (https://github.com/huggingface/safetensors): eight bytes with
 * the length of a JSON header, the header, the numbers. Python's safetensors reads them as they are. Typed arrays
 * are copied as they lie in memory, so a little-endian machine is assumed.
 */
import { randomUUID } from "node:crypto";
import { open, readFile, rename, rm } from "node:fs/promises";
import { z } from "zod";
import { LseError } from "../errors.js";
import { parseJson } from "../json-file.js";

/** Its name in the folder of a training. */
export const CHECKPOINT = "checkpoint.safetensors";

export interface Checkpoint {
  readonly tensors: Readonly<Record<string, Float32Array>>;
  /** Anything JSON can hold. */
  readonly about: unknown;
}

const headerSchema = z.object({ __metadata__: z.object({ lse: z.string() }) }).catchall(
  z.object({
    dtype: z.literal("F32"),
    shape: z.tuple([z.int().nonnegative()]),
    data_offsets: z.tuple([z.int().nonnegative(), z.int().nonnegative()]),
  }),
);

/** Under `path` there is either what was there before or the whole file, even after a power cut. */
export async function writeCheckpoint(path: string, { tensors, about }: Checkpoint): Promise<void> {
  let offset = 0;
  const entries = Object.entries(tensors).map(([name, values]) => {
    const from = offset;
    offset += values.byteLength;
    return [name, { dtype: "F32", shape: [values.length], data_offsets: [from, offset] }] as const;
  });
  const metadata = { __metadata__: { lse: JSON.stringify(about) } };
  const text = JSON.stringify({ ...metadata, ...Object.fromEntries(entries) });
  // Spaces bring the numbers to a multiple of eight bytes, as the format asks.
  const json = Buffer.from(text + " ".repeat((8 - (Buffer.byteLength(text) % 8)) % 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));

  const partial = `${path}.${randomUUID().slice(0, 8)}.part`;
  try {
    const file = await open(partial, "wx");
    try {
      const numbers = Object.values(tensors).map(
        ({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength),
      );
      for (const part of [length, json, ...numbers]) await file.writeFile(part);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(partial, path);
  } catch (cause) {
    await rm(partial, { force: true });
    throw new LseError(
      `cannot write the checkpoint ${path} (${cause instanceof Error ? cause.message : cause})`,
      "Name a file in an existing, writable folder with enough space",
      { cause },
    );
  }
}

/** @throws LseError for a file that is not a whole checkpoint */
export async function readCheckpoint(path: string): Promise<Checkpoint> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    throw new LseError(`cannot read the checkpoint ${path}`, "Check the path and its permissions", { cause });
  }
  const damaged = (why: string) =>
    new LseError(`${path} is not a checkpoint (${why})`, "Take another one, or begin again");
  if (bytes.length < 8) throw damaged("too short");
  const start = 8 + Number(bytes.readBigUInt64LE());
  if (start > bytes.length) throw damaged("the header is cut off");
  const header = headerSchema.safeParse(parseJson(bytes.toString("utf8", 8, start), path));
  if (!header.success) throw damaged("the header is not ours");
  const { __metadata__: metadata, ...entries } = header.data;
  const tensors = Object.entries(entries).map(([name, entry]) => {
    const {
      data_offsets: [from, to],
      shape: [size],
    } = entry as z.infer<typeof headerSchema>[string];
    if (to - from !== 4 * size || start + to > bytes.length) throw damaged(`${name} is cut off`);
    const values = new Float32Array(size);
    new Uint8Array(values.buffer).set(bytes.subarray(start + from, start + to));
    return [name, values] as const;
  });
  return { tensors: Object.fromEntries(tensors), about: parseJson(metadata.lse, path) };
}

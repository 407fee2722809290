/**
 * Files in the safetensors format (https://github.com/huggingface/safetensors): eight bytes with the length of a JSON
 * header, the header, the numbers. Typed arrays are copied as they lie in memory, so a little-endian machine is
 * assumed.
 */
import { randomUUID } from "node:crypto";
import { open, readFile, rename, rm } from "node:fs/promises";
import { z } from "zod";
import { LseError } from "../errors.js";
import { BF16, F16 } from "../gguf/halves.js";
import { parseJson } from "../lib/json-file.js";

export interface SafeTensor {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

export interface SafeTensors {
  readonly tensors: Readonly<Record<string, SafeTensor>>;
  /** Texts by name. */
  readonly metadata: Readonly<Record<string, string>>;
}

const size = z.int().nonnegative();
const headerSchema = z.object({ __metadata__: z.record(z.string(), z.string()).default({}) }).catchall(
  z.object({
    dtype: z.enum(["F32", "F16", "BF16"]),
    shape: z.array(size),
    data_offsets: z.tuple([size, size]),
  }),
);
type Entry = z.infer<typeof headerSchema>[string];

/** Under `path` there is either what was there before or the whole file, even after a power cut. */
export async function writeSafetensors(path: string, { tensors, metadata }: SafeTensors): Promise<void> {
  let offset = 0;
  const entries = Object.entries(tensors).map(([name, { shape, values }]) => {
    const from = offset;
    offset += values.byteLength;
    return [name, { dtype: "F32", shape, data_offsets: [from, offset] }] as const;
  });
  const text = JSON.stringify({ __metadata__: metadata, ...Object.fromEntries(entries) });
  // Spaces bring the numbers to a multiple of eight bytes, as the format asks.
  const json = Buffer.from(text + " ".repeat((8 - (Buffer.byteLength(text) % 8)) % 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));

  const partial = `${path}.${randomUUID().slice(0, 8)}.part`;
  try {
    const file = await open(partial, "wx");
    try {
      const numbers = Object.values(tensors).map(
        ({ values: { buffer, byteOffset, byteLength } }) => new Uint8Array(buffer, byteOffset, byteLength),
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
      `cannot write ${path} (${cause instanceof Error ? cause.message : cause})`,
      "Name a file in an existing, writable folder with enough space",
      { cause },
    );
  }
}

/** Reads numbers of 32 and 16 bits. @throws LseError for a file that is not whole, or holds others */
export async function readSafetensors(path: string): Promise<SafeTensors> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    throw new LseError(`cannot read ${path}`, "Check the path and its permissions", { cause });
  }
  const damaged = (why: string) =>
    new LseError(
      `${path} is not a safetensors file that can be read (${why})`,
      "Take another one, or make it again",
    );
  if (bytes.length < 8) throw damaged("too short");
  const start = 8 + Number(bytes.readBigUInt64LE());
  if (start > bytes.length) throw damaged("the header is cut off");
  const header = headerSchema.safeParse(parseJson(bytes.toString("utf8", 8, start), path));
  if (!header.success) throw damaged(z.prettifyError(header.error).replace(/\s+/g, " "));
  const { __metadata__: metadata, ...entries } = header.data;
  const tensors = Object.entries(entries as Record<string, Entry>).map(([name, entry]) => {
    const { dtype, shape, data_offsets: offsets } = entry as Extract<Entry, { dtype: string }>;
    const [from, to] = offsets;
    const count = shape.reduce((product, n) => product * n, 1);
    if (to - from !== (dtype === "F32" ? 4 : 2) * count || start + to > bytes.length)
      throw damaged(`${name} is cut off`);
    const own = new Uint8Array(bytes.subarray(start + from, start + to)).buffer;
    return [name, { shape, values: DECODERS[dtype](own) }] as const;
  });
  return { tensors: Object.fromEntries(tensors), metadata };
}

const DECODERS = { F32: (bytes: ArrayBuffer) => new Float32Array(bytes), F16, BF16 };

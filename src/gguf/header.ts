/** The headers of GGUF files, metadata and table of tensors, read with the distrust that downloaded files need. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { LseError } from "../errors.js";

/** An array of numbers in a file. */
export interface TensorInfo {
  readonly name: string;
  /** In ggml's order: the innermost, contiguous dimension first. */
  readonly dimensions: readonly number[];
  /** ggml's number of the type. */
  readonly type: number;
  /** Bytes from the beginning of the file. */
  readonly offset: number;
}

/** What a GGUF file says of itself. */
export interface GgufHeader {
  /** By dotted key. Whole numbers that a double cannot hold are bigints. */
  readonly metadata: ReadonlyMap<string, unknown>;
  readonly tensors: readonly TensorInfo[];
}

/** More than any model has, and few enough to be held in memory. */
const MOST = { entries: 1 << 16, tensors: 1 << 20, elements: 1 << 22, stringBytes: 1 << 24, dimensions: 4 };

/** The least bytes that one of these takes in a file. */
const LEAST = { entry: 13, tensor: 24 };

/**
 * Reads a header. Every count and length is compared with what the file still holds before anything of that size is
 * made.
 * @throws LseError in one line, for a file that is missing, no GGUF, cut off, or with a header that cannot be right
 */
export function readHeader(path: string): GgufHeader {
  let file: number | undefined;
  try {
    file = openSync(path, "r");
    return header(new Cursor(file, fstatSync(file).size));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.replace(/\s+/g, " ") : String(cause);
    throw new LseError(
      `${path}: not a complete GGUF file (${why})`,
      "Check the path; copy, download or make the file again",
      { cause },
    );
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

function header(cursor: Cursor): GgufHeader {
  const magic = cursor.take(4).toString("latin1");
  if (magic !== "GGUF") throw new Error(`it begins with ${shown(magic)}, not with "GGUF"`);
  const version = cursor.u32();
  if (version !== 2 && version !== 3)
    throw new Error(
      version >>> 24 !== 0 && version << 8 === 0
        ? "its bytes are in big-endian order"
        : `its version is ${version}, and 2 and 3 are known`,
    );
  const tensorCount = cursor.count("tensors", MOST.tensors, LEAST.tensor);
  const entryCount = cursor.count("key-values", MOST.entries, LEAST.entry);
  const metadata = new Map<string, unknown>();
  for (let i = 0; i < entryCount; i++) {
    const key = cursor.string("a key");
    if (metadata.has(key)) throw new Error(`the key ${shown(key)} is there twice`);
    metadata.set(key, anyValueOf(cursor, key));
  }
  const tensors = Array.from({ length: tensorCount }, () => tensorOf(cursor));
  if (new Set(tensors.map(({ name }) => name)).size < tensorCount)
    throw new Error("two tensors have the same name");
  return { metadata, tensors: placed(tensors, cursor, metadata.get("general.alignment") ?? 32) };
}

/** A value of the metadata, behind its type. */
function anyValueOf(cursor: Cursor, key: string): unknown {
  const type = cursor.u32();
  if (type !== ARRAY) return scalarOf(cursor, type, key);
  const elementType = cursor.u32();
  if (elementType === ARRAY) throw new Error(`${shown(key)} is an array of arrays`);
  const count = cursor.count(`elements of ${shown(key)}`, MOST.elements, SIZES[elementType] ?? 8);
  const values: unknown[] = [];
  for (let i = 0; i < count; i++) values.push(scalarOf(cursor, elementType, key));
  return values;
}

function scalarOf(cursor: Cursor, type: number, key: string): unknown {
  if (type === STRING) return cursor.string(shown(key));
  const size = SIZES[type];
  if (size === undefined) throw new Error(`${shown(key)} is of the unknown type ${type}`);
  const bytes = cursor.take(size);
  switch (type) {
    case 0:
      return bytes.readUInt8();
    case 1:
      return bytes.readInt8();
    case 2:
      return bytes.readUInt16LE();
    case 3:
      return bytes.readInt16LE();
    case 4:
      return bytes.readUInt32LE();
    case 5:
      return bytes.readInt32LE();
    case 6:
      return bytes.readFloatLE();
    case 7:
      return bytes.readUInt8() !== 0;
    case 10:
      return numberIfSafe(bytes.readBigUInt64LE());
    case 11:
      return numberIfSafe(bytes.readBigInt64LE());
    default:
      return bytes.readDoubleLE();
  }
}

const STRING = 8;
const ARRAY = 9;
/** Bytes of GGUF's types of fixed size, by number. */
const SIZES: { readonly [type: number]: number } = {
  0: 1,
  1: 1,
  2: 2,
  3: 2,
  4: 4,
  5: 4,
  6: 4,
  7: 1,
  10: 8,
  11: 8,
  12: 8,
};

const numberIfSafe = (value: bigint) => (BigInt.asIntN(53, value) === value ? Number(value) : value);

/** A tensor's entry, its offset still from where the data begin. */
function tensorOf(cursor: Cursor): TensorInfo {
  const name = cursor.string("the name of a tensor");
  const dimensionCount = cursor.u32();
  if (dimensionCount > MOST.dimensions)
    throw new Error(`tensor ${shown(name)} has ${dimensionCount} dimensions, and at most 4 can be`);
  const dimensions = Array.from({ length: dimensionCount }, () => cursor.u64());
  return { name, dimensions, type: cursor.u32(), offset: cursor.u64() };
}

/** The tensors with their offsets from the beginning of the file. */
function placed(tensors: readonly TensorInfo[], cursor: Cursor, alignment: unknown): TensorInfo[] {
  if (typeof alignment !== "number" || alignment < 1 || alignment > 1 << 20 || !isPowerOfTwo(alignment))
    throw new Error(`general.alignment is ${String(alignment).slice(0, 20)}, which is no power of two`);
  const start = Math.ceil(cursor.position / alignment) * alignment;
  return tensors.map((tensor) => {
    const offset = start + tensor.offset;
    if (offset + bytesOf(tensor) > cursor.size)
      throw new Error(`it ends within tensor ${shown(tensor.name)}`);
    return { ...tensor, offset };
  });
}

const isPowerOfTwo = (value: number) => Number.isInteger(Math.log2(value));

/** Bytes that a tensor takes; of a type that is not known here, those that it takes at least: none. */
function bytesOf({ name, dimensions, type }: TensorInfo): number {
  const count = dimensions.reduce((product, size) => product * size, 1);
  if (!Number.isSafeInteger(count) || count === 0)
    throw new Error(`tensor ${shown(name)} has ${dimensions.join(" × ")} numbers`);
  const [block, bytes] = BLOCKS[type] ?? [1, 0];
  if ((dimensions[0] ?? 1) % block !== 0)
    throw new Error(`tensor ${shown(name)} has rows of ${dimensions[0]} numbers in blocks of ${block}`);
  return (count / block) * bytes;
}

/** Numbers of a block and the bytes that it takes, by ggml's number of the type (ggml-common.h). */
export const BLOCKS: { readonly [type: number]: readonly [numbers: number, bytes: number] } = {
  0: [1, 4],
  1: [1, 2],
  2: [32, 18],
  3: [32, 20],
  6: [32, 22],
  7: [32, 24],
  8: [32, 34],
  9: [32, 36],
  10: [256, 84],
  11: [256, 110],
  12: [256, 144],
  13: [256, 176],
  14: [256, 210],
  15: [256, 292],
  16: [256, 66],
  17: [256, 74],
  18: [256, 98],
  19: [256, 50],
  20: [32, 18],
  21: [256, 110],
  22: [256, 82],
  23: [256, 136],
  24: [1, 1],
  25: [1, 2],
  26: [1, 4],
  27: [1, 8],
  28: [1, 8],
  29: [256, 56],
  30: [1, 2],
  34: [256, 54],
  35: [256, 66],
  39: [32, 17],
  40: [64, 36],
  41: [128, 18],
  42: [64, 18],
};

/** Text of a file, fit for an error message. */
const shown = (text: string) => JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);

/** A place in a file that is read from front to back, a piece at a time. */
class Cursor {
  #piece = Buffer.alloc(0);
  /** Where in the file the piece begins, and the next byte in the piece. */
  #start = 0;
  #next = 0;

  constructor(
    private readonly file: number,
    readonly size: number,
  ) {}

  get position(): number {
    return this.#start + this.#next;
  }

  /** The next bytes; good until the next call. */
  take(bytes: number): Buffer {
    if (bytes > this.size - this.position) throw new Error("it ends within its header");
    if (this.#next + bytes > this.#piece.length) this.#load(Math.max(bytes, 1 << 16));
    this.#next += bytes;
    return this.#piece.subarray(this.#next - bytes, this.#next);
  }

  u32(): number {
    return this.take(4).readUInt32LE();
  }

  /** A number that a double can hold. */
  u64(): number {
    const value = this.take(8).readBigUInt64LE();
    if (value > Number.MAX_SAFE_INTEGER) throw new Error(`its header has the size ${value}`);
    return Number(value);
  }

  /** How many of something follow that takes at least `least` bytes each. */
  count(what: string, most: number, least: number): number {
    const value = this.take(8).readBigUInt64LE();
    if (value > most) throw new Error(`it claims to have ${value} ${what}`);
    if (Number(value) * least > this.size - this.position)
      throw new Error(`it claims to have ${value} ${what}, more than fit into the file`);
    return Number(value);
  }

  string(what: string): string {
    const length = this.take(8).readBigUInt64LE();
    if (length > MOST.stringBytes || length > this.size - this.position)
      throw new Error(`${what} claims to be ${length} bytes long`);
    return this.take(Number(length)).toString("utf8");
  }

  #load(bytes: number): void {
    this.#start = this.position;
    this.#next = 0;
    const piece = Buffer.alloc(Math.min(bytes, this.size - this.#start));
    for (let done = 0; done < piece.length; ) {
      const read = readSync(this.file, piece, done, piece.length - done, this.#start + done);
      if (read === 0) throw new Error("it became shorter while it was read");
      done += read;
    }
    this.#piece = piece;
  }
}

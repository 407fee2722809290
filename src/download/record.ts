/** What was downloaded before. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { LseError } from "../errors.js";
import { readText, replaceFile } from "../lib/files.js";
import { bytesAt } from "./download.js";
import type { RemoteFile } from "./hub.js";
import { bytesInPart } from "./part-file.js";

const recordSchema = z.strictObject({
  /** Of which data set or model, and of which quantisation. */
  name: z.string(),
  quant: z.string().nullable(),
  files: z.array(z.strictObject({ path: z.string(), bytes: z.int().nullable() })),
});

/** Which files a download consists of, kept in its folder to be known without a network. */
export type DownloadRecord = z.infer<typeof recordSchema>;

const PREFIX = ".lse-";
const BEGIN = '{\n  "name":';

export function writeRecord(
  folder: string,
  name: string,
  quant: string | null,
  files: readonly RemoteFile[],
): void {
  const path = join(folder, `${PREFIX}${quant === null ? name : `${name}-${quant.toLowerCase()}`}.json`);
  const record: DownloadRecord = { name, quant, files: files.map(({ path, bytes }) => ({ path, bytes })) };
  requireOwn(path);
  replaceFile(path, `${JSON.stringify(record, null, 2)}\n`);
}

/** @throws LseError for a file of this name that is no record, nor the beginning of one */
function requireOwn(path: string): void {
  const text = readText(path);
  if (text === null || text === "" || text.startsWith(BEGIN)) return;
  throw new LseError(`${path}: it is there, and no record of a download`, "Move it away, then try again");
}

/** The downloads of this name that were begun in a folder. */
export function readRecords(folder: string, name: string): DownloadRecord[] {
  let files: string[];
  try {
    files = readdirSync(folder).filter((file) => file.startsWith(PREFIX) && file.endsWith(".json"));
  } catch {
    return [];
  }
  return files.flatMap((file) => {
    try {
      const record = recordSchema.parse(JSON.parse(readFileSync(join(folder, file), "utf8")));
      return record.name === name ? [record] : [];
    } catch {
      // Another program's, or one that a full disk cut off: the next download writes it again.
      return [];
    }
  });
}

/** How far a file of a download is. */
export interface FileProgress {
  readonly path: string;
  readonly isThere: boolean;
  /** Bytes that are there. */
  readonly got: number;
  /** Bytes of the whole file, if they are known. */
  readonly bytes: number | null;
}

export function progressOf(folder: string, { files }: DownloadRecord): FileProgress[] {
  return files.map(({ path, bytes }) => {
    const size = bytesAt(join(folder, path));
    const isThere = size !== null && (bytes === null || size === bytes);
    return { path, isThere, bytes, got: isThere ? size : bytesInPart(join(folder, path)) };
  });
}

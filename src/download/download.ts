/** Fetching many files: disk space, progress. */
import { statSync } from "node:fs";
import { mkdir, statfs } from "node:fs/promises";
import { join } from "node:path";
import { LseError } from "../errors.js";
import { hashFile } from "../lib/hash.js";
import { askSize, downloadFile } from "./download-file.js";
import type { RemoteFile } from "./hub.js";
import { limited } from "./limited.js";
import { bytesInPart, unwritable } from "./part-file.js";
import type { DownloadContext } from "./settings.js";

/** What is to be fetched into a folder. */
export interface DownloadPlan {
  readonly folder: string;
  /** All files, with the sizes that servers said. */
  readonly files: readonly RemoteFile[];
  /** Those that are not there. */
  readonly missing: readonly RemoteFile[];
  /** Bytes of those, as far as they are known. */
  readonly bytes: number;
  /** Bytes of those that an earlier process got. */
  readonly got: number;
}

/**
 * Finds out what is missing in a folder, and whether the disk has room for it.
 * @throws LseError for a file that is there with other content, a folder that cannot be made, too small a disk
 */
export async function planDownload(
  wanted: readonly RemoteFile[],
  folder: string,
  context: DownloadContext,
): Promise<DownloadPlan> {
  await mkdir(folder, { recursive: true }).catch((error) => {
    throw unwritable(folder, error);
  });
  const files: RemoteFile[] = [];
  const missing: RemoteFile[] = [];
  for (const each of wanted) {
    const file = each.bytes === null ? { ...each, bytes: await askSize(each, context) } : each;
    files.push(file);
    if (!(await isThere(file, join(folder, file.path), context))) missing.push(file);
  }
  const bytes = missing.reduce((sum, file) => sum + (file.bytes ?? 0), 0);
  const got = missing.reduce((sum, { path }) => sum + bytesInPart(join(folder, path)), 0);
  await checkRoom(folder, bytes - got);
  return { folder, files, missing, bytes, got };
}

/**
 * Fetches what is missing: large files one after the other in pieces, many small ones at once.
 * @param onBytes told how many bytes came; less than 0 when some have to be fetched again
 */
export async function carryOut(
  { folder, missing }: DownloadPlan,
  context: DownloadContext,
  onBytes: (count: number) => void,
): Promise<void> {
  const isSmall = ({ bytes }: RemoteFile) => bytes !== null && bytes <= context.settings.pieceBytes;
  const small = missing.filter(isSmall);
  await limited(context.settings.connections, context.signal, async (signal) => {
    for (let file = small.shift(); file !== undefined; file = small.shift()) {
      await downloadFile(file, join(folder, file.path), { ...context, signal }, onBytes);
    }
  });
  for (const file of missing.filter((file) => !isSmall(file))) {
    await downloadFile(file, join(folder, file.path), context, onBytes);
  }
}

/** Bytes of the file at a path; null where there is none. */
export function bytesAt(path: string): number | null {
  try {
    return statSync(path).size;
  } catch {
    return null;
  }
}

async function isThere(
  { bytes, sha256 }: RemoteFile,
  path: string,
  { settings, say }: DownloadContext,
): Promise<boolean> {
  const size = bytesAt(path);
  if (size === null) return false;
  const otherwise = (what: string) =>
    new LseError(`${path}: it is there, but ${what}`, "Move it away, or give another folder with `to`");
  if (bytes !== null && size !== bytes) throw otherwise(`has ${size} bytes and not ${bytes}`);
  if (sha256 !== null) {
    if (size > settings.pieceBytes) say(`${path}: it is there; comparing its SHA-256`);
    if ((await hashFile(path)) !== sha256) throw otherwise("with another SHA-256");
  }
  return true;
}

async function checkRoom(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  if (bytes <= bavail * bsize) return;
  throw new LseError(
    `${folder}: ${formatBytes(bytes)} are needed and ${formatBytes(bavail * bsize)} are free`,
    "Make room, or give another folder with `to`",
  );
}

/** In powers of ten, as disks and connections are sold. */
export function formatBytes(bytes: number): string {
  if (bytes < 1e6) return `${(bytes / 1e3).toFixed(1)} kB`;
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}

/** SHA-256 of files and values. */
import { createHash } from "node:crypto";
import { createReadStream, statSync } from "node:fs";
import { pipeline } from "node:stream/promises";

/** SHA-256 of a file's bytes, in hex. Rejects with the file system's own error. */
export async function hashFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return hash.digest("hex");
}

/** A text that differs when a file was changed or replaced. Throws the file system's own error. */
export function fileIdentity(path: string): string {
  const { dev, ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
  return [dev, ino, size, mtimeNs, ctimeNs].join(":");
}

const known = new Map<string, Promise<string>>();

/** As `hashFile`, for large files: one that has not changed is read once by a process. */
export function hashFileOnce(path: string): Promise<string> {
  const key = `${path}:${fileIdentity(path)}`;
  let hash = known.get(key);
  if (hash === undefined) {
    hash = hashFile(path);
    known.set(key, hash);
    // The next call tries again.
    hash.catch(() => known.delete(key));
  }
  return hash;
}

/** SHA-256 of a JSON value, in hex. Key order counts. */
export function hashJson(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex");
}

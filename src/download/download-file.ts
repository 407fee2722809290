/** Fetching one file: ranges, going on, checking. */
import { LseError } from "../errors.js";
import { hashFile } from "../lib/hash.js";
import { ConnectionLost, chunksOf, drop, persist, request } from "./http.js";
import type { RemoteFile } from "./hub.js";
import { limited } from "./limited.js";
import { type FileContent, PartFile, type Range } from "./part-file.js";
import type { DownloadContext } from "./settings.js";

/** Bytes after which it is written down that they are there. */
const RECORD_BYTES = 2 ** 20;

const PARTIAL_CONTENT = 206;

/** The file on the server is not the one that the download began with. */
class Replaced extends Error {}

/**
 * Downloads a file, going on with what an earlier process got of it. It appears under its name when it is complete
 * and its size and hash are right.
 *
 * node-llama-cpp's downloader (ipull) resumes too, but it mixes two versions of a file that was replaced meanwhile,
 * compares no hash, and names a file before anything could be compared.
 * @param onBytes told how many bytes came; less than 0 when some have to be fetched again
 * @throws LseError saying what is wrong with the server, the file or this machine's disk
 */
export async function downloadFile(
  remote: RemoteFile,
  target: string,
  context: DownloadContext,
  onBytes: (count: number) => void,
): Promise<void> {
  await using part = await PartFile.open(target);
  for (let times = 0; ; times++) {
    try {
      await persist(remote.path, context, (something) => fetchAll(remote, part, context, onBytes, something));
      break;
    } catch (error) {
      if (!(error instanceof Replaced)) throw error;
      if (times === context.settings.tries) {
        throw new LseError(`${remote.url}: it is another file at each request`, "Try again later");
      }
    }
  }
  await verify(remote, part, context, onBytes);
  await part.complete();
}

/** Bytes of a file where only the server knows; null when it does not say either. */
export async function askSize(remote: RemoteFile, context: DownloadContext): Promise<number | null> {
  return (await persist(remote.path, context, () => askServer(remote, context))).bytes;
}

/** What a server says about a file. */
interface ServerFile {
  /** Null when it does not say. */
  readonly bytes: number | null;
  readonly version: string | null;
  /** Whether it answers with ranges of it. */
  readonly hasRanges: boolean;
}

async function askServer(remote: RemoteFile, context: DownloadContext): Promise<ServerFile> {
  const response = await request(remote, { range: "bytes=0-0" }, context);
  await drop(response);
  const hasRanges = response.status === PARTIAL_CONTENT;
  // An empty file has no first byte: the server answers with an error, whose length says nothing.
  const whole = response.ok ? response.headers.get("content-length") : null;
  const length = hasRanges ? rangeOf(response)?.total : whole;
  const bytes = length == null ? null : Number(length);
  checkSize(remote, bytes);
  return { bytes, version: versionOf(response), hasRanges: hasRanges && bytes !== null };
}

async function fetchAll(
  remote: RemoteFile,
  part: PartFile,
  context: DownloadContext,
  onBytes: (count: number) => void,
  something: () => void,
): Promise<void> {
  const { bytes, url, sha256 } = remote;
  // Most small files arrive at the first request, which tells all there is to know.
  const isSmall = bytes !== null && bytes <= context.settings.pieceBytes && part.got === 0;
  const server = isSmall ? null : await askServer(remote, context);
  if (server?.bytes == null || !server.hasRanges) {
    await fetchWhole(remote, part, context, onBytes);
    return;
  }
  const content = { url, sha256, bytes: server.bytes, version: server.version };
  if (part.got > 0 && !isSame(part.content, content)) {
    context.say(`${remote.path}: the server has another version now; starting again`);
    onBytes(-part.got);
  }
  if (!isSame(part.content, content)) await part.reset(content);
  const ranges = part.missing(server.bytes, context.settings.pieceBytes);
  await limited(context.settings.connections, context.signal, async (signal) => {
    for (let range = ranges.shift(); range !== undefined; range = ranges.shift()) {
      await fetchRange(remote, content.version, range, part, { ...context, signal }, (count) => {
        something();
        onBytes(count);
      });
    }
  });
}

/** Fetches a file from its beginning, in one request. */
async function fetchWhole(
  remote: RemoteFile,
  part: PartFile,
  context: DownloadContext,
  onBytes: (count: number) => void,
): Promise<void> {
  const response = await request(remote, {}, context);
  const length = response.headers.get("content-length");
  const bytes = length === null ? remote.bytes : Number(length);
  checkSize(remote, bytes);
  if (part.got > 0) {
    context.say(`${remote.path}: the server sends it only as a whole; starting again`);
    onBytes(-part.got);
  }
  await part.reset({ url: remote.url, sha256: remote.sha256, bytes, version: versionOf(response) });
  await copy(response, part, [0, bytes ?? Number.POSITIVE_INFINITY], context, onBytes);
  if (bytes !== null && part.got < bytes) throw new ConnectionLost("the connection was cut");
}

/** @param version the server's, as of the other ranges */
async function fetchRange(
  remote: RemoteFile,
  version: string | null,
  [from, to]: Range,
  part: PartFile,
  context: DownloadContext,
  onBytes: (count: number) => void,
): Promise<void> {
  let position = from;
  // A weak ETag means "much the same", and servers do not take it here.
  const condition = version === null || version.startsWith("W/") ? {} : { "if-range": version };
  await persist(remote.path, context, async (something) => {
    const headers = { range: `bytes=${position}-${to - 1}`, ...condition };
    const response = await request(remote, headers, context);
    if (rangeOf(response)?.from !== position || versionOf(response) !== version) {
      await drop(response);
      throw new Replaced();
    }
    await copy(response, part, [position, to], context, (count) => {
      position += count;
      something();
      onBytes(count);
    });
    if (position < to) throw new ConnectionLost("the connection was cut");
  });
}

/** Writes an answer to its place. What came before a failure stays. */
async function copy(
  response: Response,
  part: PartFile,
  [from, to]: Range,
  { settings, signal }: DownloadContext,
  onBytes: (count: number) => void,
): Promise<void> {
  let position = from;
  let recorded = from;
  try {
    for await (const chunk of chunksOf(response, settings.stallMs, signal)) {
      if (position + chunk.length > to) {
        throw new LseError(`${part.target}: the server sends more than there should be`, "Try again later");
      }
      await part.write(chunk, position);
      position += chunk.length;
      onBytes(chunk.length);
      if (position - recorded < RECORD_BYTES) continue;
      part.record([recorded, position]);
      recorded = position;
    }
  } finally {
    if (position > recorded) part.record([recorded, position]);
  }
}

async function verify(
  remote: RemoteFile,
  part: PartFile,
  { settings, say }: DownloadContext,
  onBytes: (count: number) => void,
): Promise<void> {
  if (remote.sha256 === null) return;
  if (part.got > settings.pieceBytes) say(`${remote.path}: complete; comparing its SHA-256`);
  const hash = await hashFile(part.path);
  if (hash === remote.sha256) return;
  onBytes(-part.got);
  await part.discard();
  throw new LseError(
    `${remote.url}: its SHA-256 is ${hash} and not ${remote.sha256}, so it was not kept`,
    `Run the command again; if that does not help, the file was replaced: see ${remote.page}`,
  );
}

function checkSize({ url, bytes: expected, page }: RemoteFile, bytes: number | null): void {
  if (expected === null || bytes === null || bytes === expected) return;
  throw new LseError(
    `${url}: it has ${bytes} bytes and not ${expected}`,
    `The file was replaced: see ${page}, or try again later`,
  );
}

/** Whether what is there can be gone on with: another server may name the same bytes otherwise. */
function isSame(part: FileContent | null, server: FileContent): boolean {
  if (part === null || part.bytes !== server.bytes) return false;
  if (part.sha256 !== null && part.sha256 === server.sha256) return true;
  return part.url === server.url && part.version === server.version;
}

const versionOf = ({ headers }: Response): string | null =>
  headers.get("etag") ?? headers.get("last-modified");

/** The range that an answer says it is; undefined for one that is the whole file. */
function rangeOf({ status, headers }: Response): { from: number; total: string | undefined } | undefined {
  const [, from, total] = /^bytes (\d+)-\d+\/(?:(\d+)|\*)$/.exec(headers.get("content-range") ?? "") ?? [];
  return status !== PARTIAL_CONTENT || from === undefined ? undefined : { from: Number(from), total };
}

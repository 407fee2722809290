/** Benchmarks and models by name: where they go, what of them is there, and fetching the rest. */
import { join, resolve } from "node:path";
import { LseError } from "../errors.js";
import { defaultCacheFolder } from "../lib/cache-folder.js";
import { carryOut, formatBytes, planDownload } from "./download.js";
import { fileOf, hubOf, listRepository, type RemoteFile } from "./hub.js";
import {
  type DataEntry,
  entryNamed,
  type ModelEntry,
  readDataManifest,
  readModelManifest,
} from "./manifest.js";
import { filesOfQuant } from "./model-files.js";
import { type DownloadRecord, progressOf, readRecords, writeRecord } from "./record.js";
import { DOWNLOAD_SETTINGS, type DownloadContext } from "./settings.js";

/** Something of a manifest, and where it goes. */
export interface Wanted<Entry extends DataEntry | ModelEntry = DataEntry | ModelEntry> {
  readonly entry: Entry;
  /** Null for data. */
  readonly quant: string | null;
  readonly folder: string;
  /** Its page for people. */
  readonly page: string;
  /** Its files, or how to find out about them. */
  readonly files: readonly RemoteFile[] | ((context: DownloadContext) => Promise<RemoteFile[]>);
}

/** Who is told what of a download. */
export interface DownloadHooks {
  readonly signal: AbortSignal;
  /** Told a line, such as that a server is asked again. */
  readonly say: (line: string) => void;
  /** Called before anything is fetched, unless all is there. @param got bytes of earlier processes */
  readonly onStart?: (bytes: number, got: number) => void;
  /** Told how many bytes came; less than 0 when some have to be fetched again. */
  readonly onBytes?: (count: number) => void;
}

/** A benchmark of `lse data list`. @throws LseError with the nearest name, where none is `name` */
export function wantedData(name: string, to?: string): Wanted<DataEntry> {
  const entry = entryNamed(readDataManifest(), name, "data");
  const hub = hubOf(process.env);
  const { source } = entry;
  return {
    entry,
    quant: null,
    folder: resolve(to ?? cacheFolderOf("data", name)),
    page: "url" in source ? source.page : `${hub.endpoint}/${source.repository}`,
    files:
      "url" in source
        ? [fileAt(source)]
        : async (context) => {
            const listed = await listRepository(hub, source.repository, context);
            const files = listed.filter(({ path }) => new RegExp(source.files).test(path));
            if (files.length > 0) return files;
            throw new LseError(
              `${source.repository} has no files like ${source.files} now`,
              `See ${hub.endpoint}/${source.repository}`,
            );
          },
  };
}

/** A model of `lse models list`. @throws LseError with the nearest name, where none is `name` */
export function wantedModel(name: string, quant?: string, to?: string): Wanted<ModelEntry> {
  const entry = entryNamed(readModelManifest(), name, "models");
  const hub = hubOf(process.env);
  const chosen = quant ?? entry.quant;
  const known = chosen.toLowerCase() === entry.quant.toLowerCase() ? entry.file : undefined;
  return {
    entry,
    quant: chosen,
    folder: resolve(to ?? cacheFolderOf("models", name)),
    page: `${hub.endpoint}/${entry.repository}`,
    files:
      known !== undefined
        ? [fileOf(hub, entry.repository, known)]
        : async (context) =>
            filesOfQuant(entry, await listRepository(hub, entry.repository, context), chosen),
  };
}

/**
 * Fetches what is missing, from where an earlier process stopped.
 * @returns the paths of all files
 * @throws LseError for servers, files and disks that fail; `signal.reason` when aborted
 */
export async function download(
  { entry, quant, folder, files }: Wanted,
  { signal, say, onStart, onBytes }: DownloadHooks,
): Promise<string[]> {
  const context = { settings: DOWNLOAD_SETTINGS, signal, say };
  const wanted = typeof files === "function" ? await files(context) : files;
  const plan = await planDownload(wanted, folder, context);
  writeRecord(folder, entry.name, quant, plan.files);
  if (plan.missing.length > 0) {
    onStart?.(plan.bytes, plan.got);
    await carryOut(plan, context, (count) => onBytes?.(count));
  }
  return plan.files.map(({ path }) => join(folder, path));
}

/**
 * The paths of the files, without a network.
 * @throws LseError naming those that are missing
 */
export function downloaded({ entry, quant, folder, files: wanted }: Wanted): string[] {
  const record: DownloadRecord | undefined =
    typeof wanted === "function"
      ? readRecords(folder, entry.name).find((record) => record.quant?.toLowerCase() === quant?.toLowerCase())
      : { name: entry.name, quant, files: wanted.map(({ path, bytes }) => ({ path, bytes })) };
  const what = quant === null ? entry.name : `${entry.name} ${quant}`;
  if (record === undefined) throw new LseError(`${folder}: nothing of ${what} is there`, "Download it first");
  const files = progressOf(folder, record);
  const missing = files.filter(({ isThere }) => !isThere);
  if (missing.length === 0) return files.map(({ path }) => join(folder, path));
  const list = missing.map(({ path, got, bytes }) => {
    const whole = bytes === null ? "" : ` of ${formatBytes(bytes)}`;
    return got === 0 ? path : `${path} (${formatBytes(got)}${whole} are there)`;
  });
  throw new LseError(
    `${folder}: of the ${files.length} files of ${what}, ${missing.length} are missing: ${list.join(", ")}`,
    "Download it first",
  );
}

/** What is there of a name in the cache folder, such as "Q8_0, Q4_K_M in part"; empty where nothing is. */
export function stateInCache(kind: "data" | "models", name: string): string {
  const folder = cacheFolderOf(kind, name);
  const states = readRecords(folder, name).map((record) => {
    const isThere = progressOf(folder, record).every((file) => file.isThere);
    return `${record.quant ?? "yes"}${isThere ? "" : " in part"}`;
  });
  return states.join(", ");
}

const cacheFolderOf = (kind: "data" | "models", name: string) => join(defaultCacheFolder(), kind, name);

function fileAt({ url, page, bytes, sha256 }: Extract<DataEntry["source"], { url: string }>): RemoteFile {
  const path = new URL(url).pathname.split("/").at(-1) ?? "";
  return { url, page, path, token: null, bytes: bytes ?? null, sha256: sha256 ?? null };
}

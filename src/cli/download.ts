import { dirname, join, resolve } from "node:path";
import { Command } from "@commander-js/extra-typings";
import { defaultCacheFolder } from "../bird/gold.js";
import { carryOut, formatBytes, planDownload } from "../download/download.js";
import { type Hub, hubOf, listRepository, type RemoteFile } from "../download/hub.js";
import {
  type DataEntry,
  entryNamed,
  type ModelEntry,
  readDataManifest,
  readModelManifest,
} from "../download/manifest.js";
import { filesOfQuant } from "../download/model-files.js";
import { type DownloadRecord, progressOf, readRecords, writeRecord } from "../download/record.js";
import { DOWNLOAD_SETTINGS, type DownloadContext } from "../download/settings.js";
import { LseError } from "../errors.js";
import { untilInterrupted } from "../terminal/interrupt.js";
import { Progress } from "../terminal/progress.js";
import { textTable } from "../terminal/text-table.js";

export function dataCommand() {
  return new Command("data")
    .description("download benchmarks")
    .addCommand(
      new Command("list").description("what there is").action(() => {
        const rows = readDataManifest().map((entry) => {
          const bytes = "url" in entry.source ? entry.source.bytes : undefined;
          const size = bytes === undefined ? "" : formatBytes(bytes);
          return [entry.name, size, entry.licence, hereOf("data", entry.name), entry.title];
        });
        console.log(textTable([["name", "size", "licence", "here", "what"], ...rows]));
      }),
    )
    .addCommand(
      new Command("get")
        .description("download a benchmark, or go on with it")
        .argument("<name>", "one of `lse data list`")
        .option("--to <folder>", "where to put it (a folder of its own in your cache folder)")
        .option("--offline", "only say what is there and what is missing")
        .action((name, options) => getData(name, options)),
    );
}

export function modelsCommand() {
  return new Command("models")
    .description("download models")
    .addCommand(
      new Command("list").description("what there is").action(() => {
        const rows = readModelManifest().map(({ name, licence, quant, repository, title }) => {
          return [name, quant, licence, hereOf("models", name), title, repository];
        });
        console.log(textTable([["name", "quant", "licence", "here", "what", "repository"], ...rows]));
      }),
    )
    .addCommand(
      new Command("get")
        .description("download a model, or go on with it")
        .argument("<name>", "one of `lse models list`")
        .option("--quant <name>", "quantisation, such as Q4_K_M (that of `lse models list`)")
        .option("--to <folder>", "where to put it (a folder of its own in your cache folder)")
        .option("--offline", "only say what is there and what is missing")
        .action((name, options) => getModel(name, options)),
    );
}

interface GetOptions {
  readonly to?: string | undefined;
  readonly offline?: true | undefined;
}

/** `lse data get` */
async function getData(name: string, options: GetOptions): Promise<void> {
  const entry = entryNamed(readDataManifest(), name, "data");
  const folder = resolve(options.to ?? ownFolder("data", name));
  const hub = hubOf(process.env);
  const { source } = entry;
  const paths = await get({
    ...{ name, quant: null, folder, offline: options.offline === true },
    files:
      "url" in source
        ? [fileAt(source)]
        : (context) => listData(hub, source.repository, source.files, context),
  });
  if (paths === null) return;
  const page = "url" in source ? source.page : `${hub.endpoint}/${source.repository}`;
  sayWhereItIs(entry, page, paths.length > 3 ? [folder] : paths);
  for (const archive of entry.archives) console.log(`Unpack: ${unpacking(join(folder, archive))}`);
  console.log(`Next:   ${entry.next.replace(/\{folder\}(\S*)/g, (_, path) => shellWord(folder + path))}`);
}

/** `lse models get`, `npm run download-weights` */
export async function getModel(
  name: string,
  options: GetOptions & { readonly quant?: string | undefined },
): Promise<void> {
  const entry = entryNamed(readModelManifest(), name, "models");
  const folder = resolve(options.to ?? ownFolder("models", name));
  const hub = hubOf(process.env);
  const quant = options.quant ?? entry.quant;
  const paths = await get({
    ...{ name, quant, folder, offline: options.offline === true },
    files: async (context) =>
      filesOfQuant(entry, await listRepository(hub, entry.repository, context), quant),
  });
  if (paths === null) return;
  const model = entry.format === "onnx" ? folder : (paths[0] ?? folder);
  sayWhereItIs(entry, `${hub.endpoint}/${entry.repository}`, [model]);
  console.log(
    `Next:   npx lse evolve --data bird/dev --db superhero --model ${shellWord(model)} --out runs/superhero`,
  );
}

interface Download {
  readonly name: string;
  readonly quant: string | null;
  readonly folder: string;
  readonly offline: boolean;
  /** Its files, or how to find out about them. */
  readonly files: readonly RemoteFile[] | ((context: DownloadContext) => Promise<RemoteFile[]>);
}

/** The paths of the files when all are there; null when it was interrupted. */
async function get(download: Download): Promise<string[] | null> {
  const { name, quant, folder, files } = download;
  if (download.offline) return whatIsHere(download);
  const settings = DOWNLOAD_SETTINGS;
  return untilInterrupted("The same command goes on where it stopped", async (signal) => {
    const context = { settings, signal, say: (line: string) => console.error(line) };
    const wanted = typeof files === "function" ? await files(context) : files;
    const plan = await planDownload(wanted, folder, context);
    const paths = plan.files.map(({ path }) => join(folder, path));
    writeRecord(folder, name, quant, plan.files);
    if (plan.missing.length === 0) return paths;
    using progress = new Progress("MB", megabytes(plan.bytes), megabytes(plan.got));
    let bytes = plan.got;
    await carryOut(plan, { ...context, say: (line) => progress.say(line) }, (count) => {
      progress.advance(megabytes(bytes + count) - megabytes(bytes));
      bytes += count;
    });
    return paths;
  });
}

/** @throws LseError naming the files that are missing */
function whatIsHere({ name, quant, folder, files: wanted }: Download): string[] {
  const record: DownloadRecord | undefined =
    typeof wanted === "function"
      ? readRecords(folder, name).find((record) => record.quant?.toLowerCase() === quant?.toLowerCase())
      : { name, quant, files: wanted.map(({ path, bytes }) => ({ path, bytes })) };
  const what = quant === null ? name : `${name} ${quant}`;
  if (record === undefined) {
    throw new LseError(`${folder}: nothing of ${what} is there`, "Run the command without --offline");
  }
  const files = progressOf(folder, record);
  const missing = files.filter(({ isThere }) => !isThere);
  if (missing.length === 0) return files.map(({ path }) => join(folder, path));
  const list = missing.map(({ path, got, bytes }) => {
    const whole = bytes === null ? "" : ` of ${formatBytes(bytes)}`;
    return got === 0 ? path : `${path} (${formatBytes(got)}${whole} are there)`;
  });
  throw new LseError(
    `${folder}: of the ${files.length} files of ${what}, ${missing.length} are missing: ${list.join(", ")}`,
    "Run the command without --offline",
  );
}

/** What a list says about the downloads of this name in their own folder. */
function hereOf(kind: "data" | "models", name: string): string {
  const folder = ownFolder(kind, name);
  const states = readRecords(folder, name).map((record) => {
    const isThere = progressOf(folder, record).every((file) => file.isThere);
    return `${record.quant ?? "yes"}${isThere ? "" : " in part"}`;
  });
  return states.join(", ");
}

const ownFolder = (kind: "data" | "models", name: string) => join(defaultCacheFolder(), kind, name);

/** Those files of a data set's repository that a regular expression describes. */
async function listData(
  hub: Hub,
  repository: string,
  files: string,
  context: DownloadContext,
): Promise<RemoteFile[]> {
  const listed = await listRepository(hub, repository, context);
  const wanted = listed.filter(({ path }) => new RegExp(files).test(path));
  if (wanted.length > 0) return wanted;
  throw new LseError(`${repository} has no files like ${files} now`, `See ${hub.endpoint}/${repository}`);
}

function fileAt({ url, page, bytes, sha256 }: Extract<DataEntry["source"], { url: string }>): RemoteFile {
  const path = new URL(url).pathname.split("/").at(-1) ?? "";
  return { url, page, path, token: null, bytes: bytes ?? null, sha256: sha256 ?? null };
}

function sayWhereItIs(
  { title, licence }: DataEntry | ModelEntry,
  page: string,
  paths: readonly string[],
): void {
  console.log(`${title}\nLicence: ${licence} (${page})\n${paths.join("\n")}`);
}

const unpacking = (zip: string): string =>
  process.platform === "win32"
    ? `tar -xf ${shellWord(zip)} -C ${shellWord(dirname(zip))}`
    : `unzip -q ${shellWord(zip)} -d ${shellWord(dirname(zip))}`;

function shellWord(path: string): string {
  if (/^[\w/.:\\+-]+$/.test(path)) return path;
  return process.platform === "win32" ? `"${path}"` : `'${path.replaceAll("'", "'\\''")}'`;
}

const megabytes = (bytes: number): number => Math.round(bytes / 1e6);

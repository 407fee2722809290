/** Downloads in a terminal: their bar, and what to do with what was fetched. */
import { dirname, join } from "node:path";
import { download, downloaded, type Wanted } from "../download/get.js";
import type { DataEntry, ModelEntry } from "../download/manifest.js";
import { untilInterrupted } from "./interrupt.js";
import { Progress } from "./progress.js";

/**
 * Fetches with a bar. @param isOffline only looks what is there
 * @returns the files' paths; null when it was interrupted
 */
export async function followDownload(wanted: Wanted, isOffline: boolean): Promise<string[] | null> {
  if (isOffline) return downloaded(wanted);
  let progress: Progress | undefined;
  let bytes = 0;
  try {
    return await untilInterrupted("The same command goes on where it stopped", (signal) =>
      download(wanted, {
        signal,
        say: (line) => (progress === undefined ? console.error(line) : progress.say(line)),
        onStart: (total, got) => {
          progress = new Progress("MB", megabytes(total), megabytes(got));
          bytes = got;
        },
        onBytes: (count) => {
          progress?.advance(megabytes(bytes + count) - megabytes(bytes));
          bytes += count;
        },
      }),
    );
  } finally {
    progress?.[Symbol.dispose]();
  }
}

/** Where a benchmark is, and what to type next. */
export function dataText({ entry, page, folder }: Wanted<DataEntry>, paths: readonly string[]): string {
  const next = entry.next.replace(/\{folder\}(\S*)/g, (_, path) => shellWord(folder + path));
  return [
    headText(entry, page, paths.length > 3 ? [folder] : paths),
    ...entry.archives.map((archive) => `Unpack: ${unpacking(join(folder, archive))}`),
    `Next:   ${next}`,
  ].join("\n");
}

/** Where a model is, and what to type next. */
export function modelText({ entry, page, folder }: Wanted<ModelEntry>, paths: readonly string[]): string {
  const model = entry.format === "onnx" ? folder : (paths[0] ?? folder);
  const template = entry.template === undefined ? "" : ` --template ${entry.template}`;
  return [
    headText(entry, page, [model]),
    `Next:   npx lse evolve --data bird/dev --db superhero --model ${shellWord(model)}${template} --out runs/superhero`,
  ].join("\n");
}

const headText = ({ title, licence }: DataEntry | ModelEntry, page: string, paths: readonly string[]) =>
  `${title}\nLicence: ${licence} (${page})\n${paths.join("\n")}`;

const unpacking = (zip: string): string =>
  process.platform === "win32"
    ? `tar -xf ${shellWord(zip)} -C ${shellWord(dirname(zip))}`
    : `unzip -q ${shellWord(zip)} -d ${shellWord(dirname(zip))}`;

function shellWord(path: string): string {
  if (/^[\w/.:\\+-]+$/.test(path)) return path;
  return process.platform === "win32" ? `"${path}"` : `'${path.replaceAll("'", "'\\''")}'`;
}

const megabytes = (bytes: number): number => Math.round(bytes / 1e6);

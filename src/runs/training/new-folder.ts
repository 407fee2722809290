/** The folder of a new training. */
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { makeNewFolder, replaceFile } from "../../lib/files.js";
import { FolderLock } from "../../lib/folder-lock.js";
import { CHECKPOINT } from "../../train/checkpoint.js";

/** The configuration in the folder of a training. */
export const configPathIn = (folder: string): string => join(folder, "config.json");

/**
 * Makes a folder with a `config.json` and works in it, locked from the beginning. What fails before there is a
 * checkpoint leaves no folder, unless it was interrupted.
 * @param command what holds the lock
 * @param config as it is written; asked for when the folder is there
 * @throws LseError when the folder exists or cannot be made; what `work` throws
 */
export async function inNewFolder<T>(
  folder: string,
  command: string,
  config: () => object,
  work: () => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  FolderLock.requireFree(folder);
  makeNewFolder(folder, "Name a new folder, or resume that training");
  using _lock = FolderLock.take(folder, command);
  try {
    replaceFile(configPathIn(folder), `${JSON.stringify(config(), null, 2)}\n`);
    return await work();
  } catch (error) {
    if (!signal?.aborted && !existsSync(join(folder, CHECKPOINT))) rmSync(folder, { recursive: true });
    throw error;
  }
}

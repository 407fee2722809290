/** Which folders of runs a path means. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { LseError } from "../errors.js";

/** The run in a folder, or all runs right below it. @throws LseError where there is none */
export function runFolders(path: string): string[] {
  const isRun = (folder: string) => existsSync(join(folder, "config.json"));
  if (isRun(path)) return [path];
  const below = existsSync(path)
    ? readdirSync(path)
        .sort()
        .map((name) => join(path, name))
        .filter(isRun)
    : [];
  if (below.length > 0) return below;
  throw new LseError(`${path}: no run here`, "Give the folder of a run, or one that has such folders in it");
}

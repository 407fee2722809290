/** config.json in the folder of a run or training: its paths are found again after it has moved with what lies beside it. */
import { existsSync, realpathSync } from "node:fs";
import { dirname, isAbsolute, relative, resolve } from "node:path";
import { RunFolder } from "../journal/run-folder.js";
import { makeFolder } from "../lib/files.js";

type Fields = Readonly<Record<string, unknown>>;

/** A configuration with the place of the folder that it is written to. */
export const savedConfig = (folder: string, config: object): object => ({
  folder: realpathSync(folder),
  ...config,
});

/** Makes the folder of a run. @throws as `RunFolder.create` */
export function createRun(path: string, config: object): RunFolder {
  RunFolder.requireFree(path);
  makeFolder(path);
  return RunFolder.create(path, savedConfig(path, config));
}

/**
 * A configuration whose folder has moved since it was written: a path becomes that of what lies where it did as seen
 * from the folder, if there is something; else it stays.
 * @param value as read; without a field `folder` it is returned as it is
 * @param origin the file it was read from
 * @param fields that are paths, such as "task.data"
 */
export function withMovedPaths(value: unknown, origin: string, fields: readonly string[]): unknown {
  if (!isObject(value) || typeof value.folder !== "string" || !existsSync(origin)) return value;
  const before = value.folder;
  const now = realpathSync(dirname(origin));
  if (before === now) return value;
  const moved = (path: string) => {
    const there = resolve(now, relative(before, path));
    return isAbsolute(path) && existsSync(there) ? there : path;
  };
  return fields.reduce((config, field) => changed(config, field.split("."), moved), value);
}

function changed(
  value: Fields,
  [name = "", ...rest]: readonly string[],
  change: (path: string) => string,
): Fields {
  const inner = value[name];
  if (rest.length > 0) return isObject(inner) ? { ...value, [name]: changed(inner, rest, change) } : value;
  return typeof inner === "string" ? { ...value, [name]: change(inner) } : value;
}

const isObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

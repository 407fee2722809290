/** Real models: four small GGUF files in the folder that LSE_REAL_MODELS names. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe } from "vitest";
import { wantedModel } from "#lse/download/get.js";
import type { RemoteFile } from "#lse/download/hub.js";

const FOLDER = process.env.LSE_REAL_MODELS;

/** By their names in `lse models list`. Gemma is a base model: it has no chat template of its own. */
export const REAL_MODELS = [
  { name: "smollm2-135m" },
  { name: "gemma3-270m", template: "plain" },
  { name: "qwen2.5-coder-0.5b" },
  { name: "qwen2.5-coder-1.5b" },
] as const;

export type RealModelName = (typeof REAL_MODELS)[number]["name"];

/** What `lse models get` fetches for a name. */
export function knownFile(name: RealModelName): RemoteFile {
  const { files } = wantedModel(name);
  const file = typeof files === "function" ? undefined : files[0];
  if (file === undefined) throw new Error(`the file of ${name} is not known`);
  return file;
}

/** Where a model lies, by its name on the hub, in lower case too. */
export function realModel(name: RealModelName): string {
  const { path } = knownFile(name);
  const lower = path.toLowerCase().replace(/\.(?=q\d)/, "-");
  const paths = [path, lower].map((file) => join(FOLDER ?? "", file));
  return paths.find((file) => existsSync(file)) ?? (paths[0] as string);
}

/** A suite that needs a real model, skipped with a printed reason where it is missing. */
export function describeWithModel(title: string, name: RealModelName, suite: () => void): void {
  const isMissing = FOLDER === undefined || !existsSync(realModel(name));
  if (isMissing) {
    const why =
      FOLDER === undefined ? "LSE_REAL_MODELS names no folder of models" : `${realModel(name)} is not there`;
    console.warn(`skipped "${title}": ${why}`);
  }
  describe.skipIf(isMissing)(title, suite);
}

/** What there is to download. */
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { LseError } from "../errors.js";
import { readJson } from "../lib/json-file.js";
import { nearest } from "../lib/nearest.js";

const MODELS = fileURLToPath(new URL("../../models/manifest.json", import.meta.url));
const DATA = fileURLToPath(new URL("../../models/data-manifest.json", import.meta.url));

const name = z.string().regex(/^[a-z0-9.-]+$/);
const text = z.string().min(1);

const bytes = z.int().min(1);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

const addressSource = z.strictObject({
  url: z.url(),
  /** The page for people. */
  page: z.url(),
  bytes: bytes.optional(),
  sha256: sha256.optional(),
});

const hubSource = z.strictObject({
  /** As its address has it: owner/name of a model, datasets/owner/name of a data set. */
  repository: z.string().regex(/^(datasets\/)?[^/]+\/[^/]+$/),
  /** A regular expression of the paths to get. */
  files: text,
});

const dataSchema = z.strictObject({
  name,
  title: text,
  licence: text,
  source: z.union([addressSource, hubSource]),
  /** Zip files to be unpacked where they lie, in this order: some come out of others. */
  archives: z.array(text),
  /** The command to type next; {folder} is where the files are. */
  next: text,
});

const modelSchema = z.strictObject({
  name,
  title: text,
  licence: text,
  format: z.enum(["gguf", "onnx"]),
  repository: hubSource.shape.repository,
  /** What is fetched where no other quantisation is asked for. */
  quant: text,
  /** The file of that quantisation at the repository's root, where it is known; otherwise the hub is asked. */
  file: z.strictObject({ path: z.string().regex(/^[\w.-]+\.gguf$/), bytes, sha256 }).optional(),
  /** A built-in chat template, for a model that has none of its own. */
  template: text.optional(),
});

/** A data set that can be downloaded. Sizes and hashes are there where they are known for certain. */
export type DataEntry = z.infer<typeof dataSchema>;

/** A model that can be downloaded; the hub itself says which other quantisations and files there are. */
export type ModelEntry = z.infer<typeof modelSchema>;

export const readDataManifest = (): DataEntry[] =>
  z.strictObject({ data: z.array(dataSchema) }).parse(readJson(DATA)).data;

export const readModelManifest = (): ModelEntry[] =>
  z.strictObject({ models: z.array(modelSchema) }).parse(readJson(MODELS)).models;

/** @throws LseError with the nearest name, where none is `name` */
export function entryNamed<Entry extends { readonly name: string }>(
  entries: readonly Entry[],
  name: string,
  command: "data" | "models",
): Entry {
  const found = entries.find((entry) => entry.name === name);
  if (found !== undefined) return found;
  const names = entries.map((entry) => entry.name);
  throw new LseError(
    `lse ${command}: there is no "${name}"`,
    `Did you mean ${nearest(name, names)}? \`lse ${command} list\` names them all`,
  );
}

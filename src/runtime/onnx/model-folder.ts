/** The files of a language model in the layout of transformers.js and Hugging Face. Nothing is ever downloaded. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { z } from "zod";
import { LseError } from "../../errors.js";
import { hashFile, hashJson } from "../../lib/hash.js";
import { checked, readJson } from "../../lib/json-file.js";
import { chosenTemplate, DEFAULT_TEMPLATE } from "../template-choice.js";

/** What is read of a model's folder; the weights stay where they are. */
export interface ModelFolder {
  /** Absolute: transformers.js takes other paths for names on the hub. */
  readonly path: string;
  /** The name of the file in `onnx/`, without its ending. */
  readonly weights: string;
  /** The positions the model was made for, in tokens. */
  readonly trainedContext: number;
  /** The tokens that end a completion. */
  readonly ends: readonly number[];
  readonly tokenizer: z.infer<typeof tokenizerSchema>;
  readonly tokenizerConfig: z.infer<typeof tokenizerConfigSchema>;
  readonly chatTemplate: string;
  /** The file the template comes from, for error messages. */
  readonly templateOrigin: string;
  /** Of the contents of all files that decide what the model answers. */
  readonly fingerprint: string;
}

const CONFIG = "config.json";
const GENERATION_CONFIG = "generation_config.json";
export const TOKENIZER = "tokenizer.json";
const TOKENIZER_CONFIG = "tokenizer_config.json";
const CHAT_TEMPLATE = "chat_template.jinja";
/** A folder of templates by name. */
const CHAT_TEMPLATES = "additional_chat_templates";

const tokenIds = z.union([z.int(), z.array(z.int())]).transform((ids) => [ids].flat());
const configSchema = z.looseObject({
  model_type: z.string(),
  max_position_embeddings: z.int().min(1),
  eos_token_id: tokenIds.nullish(),
});
const generationConfigSchema = z.looseObject({ eos_token_id: tokenIds.nullish() });
const tokenizerSchema = z.looseObject({
  added_tokens: z.array(z.looseObject({ id: z.int(), content: z.string(), special: z.boolean() })),
  model: z.looseObject({}),
});
/** Special tokens are texts, or objects around them. */
const tokenText = z.union([
  z.string(),
  z.looseObject({ content: z.string() }).transform(({ content }) => content),
]);
const tokenizerConfigSchema = z.looseObject({
  add_bos_token: z.boolean().nullish(),
  bos_token: tokenText.nullish(),
  eos_token: tokenText.nullish(),
  /** Several templates have names; the one for plain conversations is "default". */
  chat_template: z
    .union([
      z.string().transform((template) => [{ name: DEFAULT_TEMPLATE, template }]),
      z.array(z.looseObject({ name: z.string(), template: z.string() })),
    ])
    .nullish(),
});

/** Whether a path is to be opened as such a folder, complete or not. */
export const isModelFolder = (path: string) =>
  statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

/**
 * @param template the name of the chat template; by default the model's own
 * @throws LseError naming the file that is missing or wrong
 */
export async function readModelFolder(folder: string, template?: string): Promise<ModelFolder> {
  const path = resolve(folder);
  for (const name of [CONFIG, TOKENIZER, TOKENIZER_CONFIG])
    if (!existsSync(join(path, name))) throw noModel(path, `${name} is missing`);
  const config = read(path, CONFIG, configSchema);
  const hasGeneration = existsSync(join(path, GENERATION_CONFIG));
  const generation = hasGeneration ? read(path, GENERATION_CONFIG, generationConfigSchema) : {};
  const ends = generation.eos_token_id ?? config.eos_token_id;
  if (ends == null)
    throw new LseError(
      `${join(path, CONFIG)}: field eos_token_id is missing`,
      "Name the token that ends a completion, here or in generation_config.json",
    );
  const tokenizerConfig = read(path, TOKENIZER_CONFIG, tokenizerConfigSchema);
  const hasTemplate = existsSync(join(path, CHAT_TEMPLATE));
  const own = new Map(tokenizerConfig.chat_template?.map(({ name, template: source }) => [name, source]));
  if (hasTemplate) own.set(DEFAULT_TEMPLATE, readFileSync(join(path, CHAT_TEMPLATE), "utf8"));
  const others = templatesIn(path);
  for (const name of others)
    own.set(basename(name, ".jinja"), readFileSync(join(path, CHAT_TEMPLATES, name), "utf8"));
  const field = `${join(path, TOKENIZER_CONFIG)}: field chat_template`;
  const chatTemplate = chosenTemplate(own, template, field);
  const weights = weightsIn(path);
  const files = [
    CONFIG,
    TOKENIZER,
    TOKENIZER_CONFIG,
    ...(hasGeneration ? [GENERATION_CONFIG] : []),
    ...(hasTemplate ? [CHAT_TEMPLATE] : []),
    ...others.map((name) => `${CHAT_TEMPLATES}/${name}`),
    ...filesOf(path, weights),
  ];
  const hashes = await Promise.all(files.map(async (name) => [name, await hashFile(join(path, name))]));
  return {
    path,
    weights,
    ends,
    tokenizerConfig,
    chatTemplate,
    trainedContext: config.max_position_embeddings,
    tokenizer: read(path, TOKENIZER, tokenizerSchema),
    templateOrigin: join(path, hasTemplate ? CHAT_TEMPLATE : TOKENIZER_CONFIG),
    fingerprint: hashJson(hashes),
  };
}

/** `model.onnx`, or the only one there is: `model_q4.onnx`, `model_fp16.onnx`. */
function weightsIn(path: string): string {
  const names = onnxFiles(path)
    .filter((name) => name.endsWith(".onnx"))
    .map((name) => name.slice(0, -".onnx".length));
  const name = names.length === 1 ? names[0] : names.find((each) => each === "model");
  if (name !== undefined) return name;
  throw names.length === 0
    ? noModel(path, "there is no onnx/model.onnx")
    : new LseError(
        `${path}: it is not clear which weights to take (${names.map((each) => `onnx/${each}.onnx`).join(", ")})`,
        "Keep one of them, or name it onnx/model.onnx",
      );
}

/** The weights, and the files beside them that hold what does not fit into the first. */
const filesOf = (path: string, weights: string) =>
  onnxFiles(path)
    .filter((name) => name === `${weights}.onnx` || name.startsWith(`${weights}.onnx_data`))
    .map((name) => `onnx/${name}`);

function templatesIn(path: string): string[] {
  const folder = join(path, CHAT_TEMPLATES);
  return isModelFolder(folder)
    ? readdirSync(folder)
        .filter((name) => name.endsWith(".jinja"))
        .sort()
    : [];
}

function onnxFiles(path: string): string[] {
  const folder = join(path, "onnx");
  return isModelFolder(folder) ? readdirSync(folder).sort() : [];
}

const read = <T>(path: string, name: string, schema: z.ZodType<T>): T =>
  checked(
    schema,
    readJson(join(path, name)),
    join(path, name),
    "Correct that field, or fetch the model again",
  );

const noModel = (path: string, why: string) =>
  new LseError(
    `${path}: not a folder of an ONNX language model (${why})`,
    "Give a GGUF file, or a folder with config.json, tokenizer.json, tokenizer_config.json and onnx/model.onnx",
  );

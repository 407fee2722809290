/**
 * Writes a Qwen3 model with random weights: a file of the size and speed of a real model, with nothing learned.
 *
 *   npm run make-random-model -- small.gguf --shape 25m
 *   npm run make-random-model -- large.gguf --shape 0.6b --type q8_0 --tokenizer qwen
 *   npm run make-random-model -- mine.gguf --layers 2 --embedding 64 --heads 2 --kv-heads 1 --head-dim 32 --feed-forward 128
 */
import { Command, InvalidArgumentError, Option } from "@commander-js/extra-typings";
import { LseError } from "../src/errors.js";
import type { QwenShape } from "../src/gguf/qwen-layout.js";
import { NAMED_SHAPES, type ShapeName, writeRandomModel } from "../src/gguf/random-model.js";

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError("Not a whole number.");
  return Number(text);
}

const program = new Command("make-random-model")
  .description("Write a Qwen3 model with random weights as GGUF.")
  .argument("<file>", "where to write it, ending in .gguf")
  .addOption(
    new Option("--shape <name>", "a named shape, instead of the six sizes").choices(
      Object.keys(NAMED_SHAPES) as ShapeName[],
    ),
  )
  .option("--layers <n>", "layers", wholeNumber)
  .option("--embedding <n>", "width of the embedding", wholeNumber)
  .option("--heads <n>", "attention heads", wholeNumber)
  .option("--kv-heads <n>", "key and value heads; must divide heads", wholeNumber)
  .option("--head-dim <n>", "width of a head", wholeNumber)
  .option("--feed-forward <n>", "width of the feed-forward layer", wholeNumber)
  .option("--untied", "an output matrix of its own (default: the shape's; tied for six sizes)")
  .addOption(
    new Option("--type <type>", "what the matrices are stored as")
      .choices(["f32", "f16", "q8_0"] as const)
      .default("f16" as const),
  )
  .addOption(
    new Option("--tokenizer <name>", "512 tokens made for text-to-SQL, or Qwen's 151,936")
      .choices(["small", "qwen"] as const)
      .default("small" as const),
  )
  .option("--seed <n>", "seed of the weights", wholeNumber, 1)
  .option("--context <n>", "context length the file claims, in tokens", wholeNumber, 32_768)
  .parse();

type Options = ReturnType<typeof program.opts>;

function shapeOf(options: Options): QwenShape {
  const { shape, layers, embedding, heads, kvHeads, headDim, feedForward } = options;
  const sizes = { layers, embedding, heads, kvHeads, headDim, feedForward };
  const given = Object.values(sizes).filter((size) => size !== undefined);
  if (shape !== undefined && given.length === 0) return NAMED_SHAPES[shape];
  if (shape !== undefined || given.length !== Object.keys(sizes).length)
    throw new LseError(
      shape === undefined ? `${given.length} of the six sizes are given` : "both --shape and sizes are given",
      "Give --shape, or all of --layers --embedding --heads --kv-heads --head-dim --feed-forward",
    );
  return sizes as QwenShape;
}

const interrupt = new AbortController();
process.once("SIGINT", () => interrupt.abort());
try {
  const [path] = program.processedArgs;
  const options = program.opts();
  const { parameters, bytes } = await writeRandomModel(path, {
    shape: shapeOf(options),
    type: options.type,
    tokenizer: options.tokenizer,
    seed: options.seed,
    contextLength: options.context,
    signal: interrupt.signal,
    ...(options.untied === true ? { tied: false } : {}),
  });
  console.log(`${path}: ${parameters.toLocaleString("en")} parameters, ${bytes.toLocaleString("en")} bytes`);
} catch (error) {
  if (!(error instanceof LseError) && !interrupt.signal.aborted) throw error;
  console.error(
    error instanceof LseError ? `error: ${error.message}` : "error: interrupted. No file was written.",
  );
  process.exitCode = 1;
}

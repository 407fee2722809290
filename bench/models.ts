/** The models of the bench: random weights, written once and kept in its cache. */
import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { NAMED_SHAPES, writeRandomModel } from "#lse/gguf/random-model.js";
import { exportOnnx } from "#lse/onnx-export/export.js";
import { loadModel } from "#lse/runtime/llama/load.js";
import { chatTemplateOf } from "#lse/runtime/llama/vocabulary.js";
import { CACHE } from "./paths.js";
import type { BenchShape, Encode } from "./workloads.js";

/** Random weights as q8_0; kept in the cache once written. @returns the path of the GGUF */
export async function modelOf(shape: BenchShape): Promise<string> {
  const folder = join(CACHE, "models");
  const tokenizer = shape === "0.6b" ? "qwen" : "small";
  const path = join(folder, `${shape}-q8_0-${tokenizer}.gguf`);
  if (existsSync(path)) return path;
  await mkdir(folder, { recursive: true });
  const unfinished = `${path}.${process.pid}`;
  try {
    await writeRandomModel(unfinished, {
      shape: NAMED_SHAPES[shape],
      type: "q8_0",
      tokenizer,
      seed: 1,
      contextLength: 32_768,
    });
    await rename(unfinished, path);
  } finally {
    await rm(unfinished, { force: true });
  }
  return path;
}

/** The same weights as an ONNX model in f32, beside the GGUF once written. @returns the folder */
export async function onnxOf(modelPath: string): Promise<string> {
  const folder = modelPath.replace(/\.gguf$/, "-onnx");
  if (!existsSync(folder)) await exportOnnx(modelPath, folder);
  return folder;
}

/** The chat template and tokenizer of a model, which stay in memory. */
export async function encoderOf(modelPath: string): Promise<Encode> {
  const options = { modelPath, gpuLayers: 0 };
  const template = chatTemplateOf(await loadModel(options, "vocabulary"), options);
  return (messages) => template.encode(messages);
}

/**
 * Sizes of the paper's models and smaller ones, for plans that are made before their weights are here. Source: the
 * `config.json` of each on the Hugging Face hub.
 */
import type { QwenShape } from "../../gguf/qwen-layout.js";
import { NAMED_SHAPES } from "../../gguf/random-model.js";
import type { ModelSpec } from "./spec.js";

const KNOWN: Readonly<Record<string, ModelSpec>> = {
  "Qwen3-0.6B": { ...qwen3(NAMED_SHAPES["0.6b"]), contextLength: 40_960 },
  "Qwen3-1.7B": {
    ...qwen3({ ...NAMED_SHAPES["0.6b"], embedding: 2048, feedForward: 6144 }),
    contextLength: 40_960,
  },
  // Made from Qwen2.5-Coder-7B, whose sizes it has.
  "Arctic-Text2SQL-R1-7B": {
    family: "qwen2",
    vocabulary: 152_064,
    shape: {
      layers: 28,
      embedding: 3584,
      heads: 28,
      kvHeads: 4,
      headDim: 128,
      feedForward: 18_944,
      tied: false,
      ropeBase: 1e6,
    },
    contextLength: 32_768,
  },
  "Qwen3-4B-Instruct-2507": { ...qwen3({ ...NAMED_SHAPES["4b"], ropeBase: 5e6 }), contextLength: 262_144 },
};

export const KNOWN_MODELS = Object.keys(KNOWN);

function qwen3(shape: QwenShape) {
  return { family: "qwen3", vocabulary: 151_936, shape } as const;
}

/** The sizes of the model whose name is part of a file's; null for one that is not known. */
export function knownSizes(file: string): ModelSpec | null {
  return KNOWN[KNOWN_MODELS.find((name) => file.toLowerCase().includes(name.toLowerCase())) ?? ""] ?? null;
}

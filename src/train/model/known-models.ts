/**
 * Sizes of the models that evolvers are made from, for plans that are made before their weights are here. Source: the
 * `config.json` of each at https://huggingface.co/Qwen.
 */
import type { ModelSpec } from "./spec.js";

const shared = { family: "qwen3", vocabulary: 151_936 } as const;

const KNOWN: readonly (readonly [name: string, sizes: ModelSpec])[] = [
  [
    "Qwen3-0.6B",
    {
      ...shared,
      contextLength: 40_960,
      shape: { layers: 28, embedding: 1024, heads: 16, kvHeads: 8, headDim: 128, feedForward: 3072 },
    },
  ],
  [
    "Qwen3-1.7B",
    {
      ...shared,
      contextLength: 40_960,
      shape: { layers: 28, embedding: 2048, heads: 16, kvHeads: 8, headDim: 128, feedForward: 6144 },
    },
  ],
  [
    "Qwen3-4B-Instruct-2507",
    {
      ...shared,
      contextLength: 262_144,
      shape: {
        ...{ layers: 36, embedding: 2560, heads: 32, kvHeads: 8, headDim: 128, feedForward: 9728 },
        ropeBase: 5e6,
      },
    },
  ],
];

/** The sizes of the model whose name is part of a file's; null for one that is not known. */
export function knownSizes(file: string): ModelSpec | null {
  return KNOWN.find(([name]) => file.toLowerCase().includes(name.toLowerCase()))?.[1] ?? null;
}

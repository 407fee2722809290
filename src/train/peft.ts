/**
 * LoRA adapters as Hugging Face's PEFT keeps them: a folder with `adapter_config.json` and
 * `adapter_model.safetensors` (https://huggingface.co/docs/peft/developer_guides/checkpoint).
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { LseError } from "../errors.js";
import type { LinearName } from "../gguf/qwen-layout.js";
import { checked, readJson } from "../lib/json-file.js";
import { readSafetensors, type SafeTensor, writeSafetensors } from "./safetensors.js";

/** Where transformers keeps llama.cpp's linear maps within a layer of a Qwen model. */
const MODULES: Readonly<Record<LinearName, string>> = {
  attn_q: "self_attn.q_proj",
  attn_k: "self_attn.k_proj",
  attn_v: "self_attn.v_proj",
  attn_output: "self_attn.o_proj",
  ffn_gate: "mlp.gate_proj",
  ffn_up: "mlp.up_proj",
  ffn_down: "mlp.down_proj",
};
const LINEAR_OF = new Map(Object.entries(MODULES).map(([linear, module]) => [module, linear]));

export interface PeftAdapter {
  readonly rank: number;
  readonly alpha: number;
  /** By llama.cpp's names: `blk.0.attn_q.weight.lora_a` [rank, in] and `.lora_b` [out, rank]. */
  readonly tensors: Readonly<Record<string, SafeTensor>>;
}

const configSchema = z.object({
  peft_type: z.literal("LORA"),
  r: z.int().min(1),
  lora_alpha: z.number().positive(),
  bias: z.literal("none").default("none"),
  use_rslora: z.literal(false).default(false),
  use_dora: z.literal(false).default(false),
  fan_in_fan_out: z.literal(false).default(false),
  rank_pattern: z.record(z.string(), z.never()).nullable().default(null),
  alpha_pattern: z.record(z.string(), z.never()).nullable().default(null),
  modules_to_save: z.array(z.never()).nullable().default(null),
});

/** @param base what PEFT is told the adapter is for: a model's name on the Hub, or its folder */
export async function writePeft(folder: string, adapter: PeftAdapter, base: string): Promise<void> {
  const { rank, alpha } = adapter;
  const modules = new Set<string>();
  const tensors = Object.entries(adapter.tensors).map(([name, tensor]) => {
    const [, layer, linear, side] = /^blk\.(\d+)\.(\w+)\.weight\.lora_([ab])$/.exec(name) ?? [];
    const module = MODULES[linear as LinearName];
    if (module === undefined || side === undefined) throw new Error(`${name} is no part of an adapter`);
    modules.add(module.slice(module.indexOf(".") + 1));
    return [
      `base_model.model.model.layers.${layer}.${module}.lora_${side.toUpperCase()}.weight`,
      tensor,
    ] as const;
  });
  const config = {
    peft_type: "LORA",
    task_type: "CAUSAL_LM",
    base_model_name_or_path: base,
    inference_mode: true,
    r: rank,
    lora_alpha: alpha,
    lora_dropout: 0,
    bias: "none",
    fan_in_fan_out: false,
    target_modules: [...modules].sort(),
  };
  mkdirSync(folder, { recursive: true });
  const metadata = { format: "pt" };
  await writeSafetensors(join(folder, "adapter_model.safetensors"), {
    tensors: Object.fromEntries(tensors),
    metadata,
  });
  writeFileSync(join(folder, "adapter_config.json"), `${JSON.stringify(config, null, 2)}\n`);
}

/** @throws LseError for a folder that holds no plain LoRA adapter of a Qwen model */
export async function readPeft(folder: string): Promise<PeftAdapter> {
  const configPath = join(folder, "adapter_config.json");
  const config = checked(
    configSchema,
    readJson(configPath),
    configPath,
    "Only plain LoRA of one rank can be read: no DoRA, no rank-stabilised scaling, no biases, no other modules",
  );
  const path = join(folder, "adapter_model.safetensors");
  const { r: rank, lora_alpha: alpha } = config;
  const { tensors } = await readSafetensors(path);
  const named = Object.entries(tensors).map(([name, tensor]) => {
    const match = /\.layers\.(\d+)\.([\w.]+)\.lora_([AB])(?:\.default)?\.weight$/.exec(name);
    const [, layer, module = "", side] = match ?? [];
    const linear = LINEAR_OF.get(module);
    if (linear === undefined)
      throw new LseError(`${path}: ${name} belongs to no linear map of a Qwen layer`, "Train on those alone");
    if (tensor.shape[side === "A" ? 0 : 1] !== rank)
      throw new LseError(
        `${path}: ${name} is ${tensor.shape.join(" × ")}, but the rank is ${rank}`,
        "Save it again",
      );
    return [`blk.${layer}.${linear}.weight.lora_${side?.toLowerCase()}`, tensor] as const;
  });
  if (named.length === 0) throw new LseError(`${path}: no matrices`, "Save the adapter again");
  return { rank, alpha, tensors: Object.fromEntries(named) };
}

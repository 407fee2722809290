import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { LseError } from "#lse/errors.js";
import { NAMED_SHAPES, writeRandomModel } from "#lse/gguf/random-model.js";
import { NodeLlamaCppModel } from "#lse/runtime/llama/public-engine.js";
import { languageModelContract } from "./language-model-contract.js";

languageModelContract("NodeLlamaCppModel", (modelPath, contextSize) =>
  NodeLlamaCppModel.open({ modelPath, contextSize, threads: 1, gpuLayers: 0 }),
);

describe("a file that is no usable model", () => {
  const folder = mkdtempSync(join(tmpdir(), "lse-models-"));
  const path = (name: string) => join(folder, name);

  beforeAll(async () => {
    await writeRandomModel(path("good.gguf"), {
      shape: NAMED_SHAPES["1m"],
      type: "f16",
      tokenizer: "small",
      seed: 1,
      contextLength: 512,
    });
    const good = readFileSync(path("good.gguf"));
    writeFileSync(path("half.gguf"), good.subarray(0, good.length / 2));
    writeFileSync(path("header.gguf"), good.subarray(0, 1000));
    writeFileSync(path("text.gguf"), "this is not a model\n".repeat(100));
    writeFileSync(path("empty.gguf"), "");
    const renamed = Buffer.from(good);
    for (let at = renamed.indexOf("qwen3"); at >= 0 && at < 5000; at = renamed.indexOf("qwen3", at)) {
      renamed.write("qwenX", at);
    }
    writeFileSync(path("architecture.gguf"), renamed);
    const sized = (key: string, value: number) => {
      const bytes = Buffer.from(good);
      bytes.writeUInt32LE(value, bytes.indexOf(`qwen3.${key}`) + `qwen3.${key}`.length + 4);
      writeFileSync(path(`${key}.gguf`), bytes);
    };
    sized("block_count", 4e9);
    sized("attention.head_count_kv", 0);
    const untemplated = Buffer.from(good);
    untemplated.write("Xhat_template", untemplated.indexOf("chat_template"));
    writeFileSync(path("template.gguf"), untemplated);
  });

  it.each([
    ["missing.gguf", /no such model file/],
    ["half.gguf", /not a complete GGUF.*ends within tensor/],
    ["header.gguf", /not a complete GGUF/],
    ["text.gguf", /not a complete GGUF/],
    ["empty.gguf", /not a complete GGUF/],
    ["architecture.gguf", /architecture/],
    ["block_count.gguf", /field qwen3\.block_count is 4000000000/],
    ["attention.head_count_kv.gguf", /field qwen3\.attention\.head_count_kv is 0/],
    ["template.gguf", /tokenizer\.chat_template is missing/],
  ])("%s is refused with its name and the next step", async (name, message) => {
    const failure = NodeLlamaCppModel.open({ modelPath: path(name), threads: 1, gpuLayers: 0 });
    await expect(failure).rejects.toThrow(message);
    await expect(failure).rejects.toThrow(name);
    await expect(failure).rejects.toBeInstanceOf(LseError);
    await failure.catch((error: Error) => expect(error.message).not.toContain("\n"));
  });
});

/** From a GGUF to a folder that transformers.js opens: `AutoModelForCausalLM` and `AutoTokenizer`, or this program. */
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { LseError } from "../errors.js";
import { NORM_EPSILON, qwenParameters, ROPE_BASE } from "../gguf/qwen-layout.js";
import { type ReadModel, readModel, readSizes } from "../gguf/read-model.js";
import { GgufReader } from "../gguf/reader.js";
import { loadModel } from "../runtime/llama/load.js";
import { tokenTextsOf } from "../runtime/llama/vocabulary.js";
import { decoderGraph } from "./graph.js";
import { tokenizerFiles } from "./tokenizer.js";

/** One protobuf message, which an ONNX file without others beside it is, cannot be longer. */
const MOST_BYTES = 2 ** 31 - 1;

/**
 * Writes `config.json`, `generation_config.json`, `tokenizer.json`, `tokenizer_config.json` and `onnx/model.onnx`, in
 * float32 whatever the GGUF has. Takes about four times the model's float32 size in memory. A folder appears only
 * when everything is in it.
 * @param folder new
 * @returns the bytes of the ONNX file
 * @throws LseError for a GGUF that is not Qwen2 or Qwen3, is too large, or has weights or a tokenizer of another kind
 */
export async function exportOnnx(ggufPath: string, folder: string): Promise<{ bytes: number }> {
  const { family, shape, vocabulary } = await readSizes(ggufPath);
  const weightBytes = qwenParameters(family, shape, vocabulary)
    .map(({ dims: [rows, columns = 1] }) => 4 * rows * columns)
    .reduce((sum, bytes) => sum + bytes);
  if (weightBytes > MOST_BYTES)
    throw new LseError(
      `${ggufPath}: the weights take ${weightBytes} bytes as float32, and an ONNX file holds ${MOST_BYTES}`,
      "Take a smaller model",
    );
  await using file = await GgufReader.open(ggufPath);
  const { tokenizer, config: tokenizerConfig } = tokenizerFiles(file);
  const ends = await endTokens(ggufPath, vocabulary);
  const model = await readModel(ggufPath);
  const graph = decoderGraph(model).encode();
  const files: Record<string, string | Uint8Array> = {
    "config.json": json({ ...modelConfig(model), eos_token_id: ends[0] }),
    "generation_config.json": json({ eos_token_id: ends }),
    "tokenizer.json": JSON.stringify(tokenizer),
    "tokenizer_config.json": json(tokenizerConfig),
    "onnx/model.onnx": graph,
  };
  const unfinished = `${folder}.${process.pid}`;
  try {
    for (const [name, content] of Object.entries(files)) {
      await mkdir(dirname(join(unfinished, name)), { recursive: true });
      await writeFile(join(unfinished, name), content);
    }
    await rename(unfinished, folder);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new LseError(`${folder}: cannot be written (${why})`, "Give a new folder with room for it", {
      cause,
    });
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
  return { bytes: graph.length };
}

/** The tokens that end a completion in llama.cpp, which knows some by their names. The vocabulary's own is first. */
async function endTokens(ggufPath: string, vocabulary: number): Promise<number[]> {
  const { model } = await loadModel({ modelPath: ggufPath, gpuLayers: 0 }, "vocabulary");
  try {
    const { isEnd } = tokenTextsOf(model);
    const ends = Array.from({ length: vocabulary }, (_, token) => token).filter(isEnd);
    return ends.sort((a, b) => Number(b === model.tokens.eos) - Number(a === model.tokens.eos));
  } finally {
    await model.dispose();
  }
}

/** `config.json` as Hugging Face's transformers names things, apart from the tokens. */
function modelConfig({ family, shape, vocabulary, contextLength }: ReadModel): object {
  return {
    architectures: [{ qwen2: "Qwen2ForCausalLM", qwen3: "Qwen3ForCausalLM" }[family]],
    model_type: family,
    hidden_act: "silu",
    hidden_size: shape.embedding,
    intermediate_size: shape.feedForward,
    num_hidden_layers: shape.layers,
    num_attention_heads: shape.heads,
    num_key_value_heads: shape.kvHeads,
    head_dim: shape.headDim,
    vocab_size: vocabulary,
    max_position_embeddings: contextLength,
    rms_norm_eps: NORM_EPSILON,
    rope_theta: shape.ropeBase ?? ROPE_BASE,
    tie_word_embeddings: shape.tied ?? true,
    torch_dtype: "float32",
  };
}

const json = (value: object) => `${JSON.stringify(value, null, 2)}\n`;

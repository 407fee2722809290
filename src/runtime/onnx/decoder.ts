/** Steps of a decoder in transformers.js: tokens in, rows of logits out, keys and values in between. */
import { AutoModelForCausalLM, DynamicCache, type PreTrainedModel, Tensor } from "@huggingface/transformers";
import { LseError } from "../../errors.js";
import type { ModelFolder } from "./model-folder.js";

/** The keys and values of the tokens so far, by the names of the inputs they go into. A step leaves them as they are. */
export interface Past {
  readonly length: number;
  readonly tensors: Readonly<Record<string, Tensor>>;
}

export interface Step {
  /** After the last tokens of the step, as many as were asked for. */
  readonly rows: readonly Float32Array[];
  readonly past: Past;
}

/** What this engine can give a graph, and keep for it: keys and values by layer, tokens in their third axis. */
const KNOWN_INPUTS =
  /^(input_ids|attention_mask|position_ids|num_logits_to_keep|past_key_values\.\d+\.(key|value))$/;

export class OnnxDecoder {
  /** @throws LseError for a graph that ONNX Runtime refuses, or one that is no plain decoder */
  static async open({ path, weights }: ModelFolder, threads: number): Promise<OnnxDecoder> {
    const file = `${path}/onnx/${weights}.onnx`;
    let model: PreTrainedModel;
    try {
      model = await AutoModelForCausalLM.from_pretrained(path, {
        local_files_only: true,
        // Of one name there is one file, whatever is in it: "fp32" is the type that adds nothing to the name.
        model_file_name: weights,
        dtype: "fp32",
        device: "cpu",
        session_options: { intraOpNumThreads: threads, interOpNumThreads: 1 },
      });
    } catch (cause) {
      const why = (cause instanceof Error ? cause.message : String(cause)).replace(/\s+/g, " ");
      throw new LseError(
        `${file}: transformers.js cannot load this model (${why})`,
        "Take a text-generation model that was made for transformers.js, and copy it again if it may be damaged",
        { cause },
      );
    }
    const inputs: readonly string[] = model.sessions.model?.inputNames ?? [];
    const unknown = inputs.find((name) => !KNOWN_INPUTS.test(name));
    if (unknown === undefined && inputs.includes("past_key_values.0.key")) return new OnnxDecoder(model);
    await model.dispose();
    throw new LseError(
      unknown === undefined
        ? `${file}: the graph has no input past_key_values.0.key, which keys and values would come in by`
        : `${file}: the graph has an input ${unknown}, which this engine does not know`,
      "Take a text-generation model that was exported with its KV cache (text-generation-with-past)",
    );
  }

  private constructor(private readonly model: PreTrainedModel) {}

  /** Evaluates at least one token behind `past`. Blocks the thread for as long as it computes. */
  async step(tokens: readonly number[], past: Past, rows: number): Promise<Step> {
    const length = past.length + tokens.length;
    const outputs: Record<string, Tensor> = await this.model.forward({
      input_ids: int64(BigInt64Array.from(tokens, BigInt)),
      attention_mask: int64(new BigInt64Array(length).fill(1n)),
      // Graphs that do not know it return all rows.
      num_logits_to_keep: new Tensor("int64", [BigInt(rows)], []),
      past_key_values: new DynamicCache({ ...past.tensors }),
    });
    const { logits, ...present } = outputs;
    const all = (logits as Tensor).to("float32");
    const values = all.data as Float32Array;
    const size = all.dims[2] as number;
    const first = values.length - rows * size;
    return {
      rows: Array.from({ length: rows }, (_, i) => values.subarray(first + i * size, first + (i + 1) * size)),
      past: {
        length,
        tensors: Object.fromEntries(
          Object.entries(present).map(([name, tensor]) => [
            name.replace("present", "past_key_values"),
            tensor,
          ]),
        ),
      },
    };
  }

  async dispose(): Promise<void> {
    await this.model.dispose();
  }
}

export const NO_PAST: Past = { length: 0, tensors: {} };

/** A copy of the first `length` tokens' keys and values: as long as one step of ONNX Runtime takes to extend them. */
export function cutCache(past: Past, length: number): Past {
  if (length === past.length) return past;
  if (length === 0) return NO_PAST;
  const tensors = Object.entries(past.tensors).map(([name, { type, data, dims }]) => {
    const [batch = 0, heads = 0, tokens = 0, size = 0] = dims;
    // Float16 numbers come in whichever array this version of Node has for them.
    const numbers = data as Float32Array;
    const kept = new (numbers.constructor as Float32ArrayConstructor)(batch * heads * length * size);
    for (let i = 0; i < batch * heads; i++)
      kept.set(numbers.subarray(i * tokens * size, (i * tokens + length) * size), i * length * size);
    return [name, new Tensor(type, kept, [batch, heads, length, size])];
  });
  return { length, tensors: Object.fromEntries(tensors) };
}

const int64 = (values: BigInt64Array) => new Tensor("int64", values, [1, values.length]);

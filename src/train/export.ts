import { ggufTensor, modelMetadata, qwenParameters } from "../runtime/gguf/qwen-layout.js";
import type { GgufMetadata, TensorType } from "../runtime/gguf/writer.js";
import { writeGguf } from "../runtime/gguf/writer.js";
import type { ModelSpec, Parameters } from "./model/spec.js";

export async function writeTrainedModel(
  path: string,
  {
    spec,
    parameters,
    type,
    tokenizer,
    name,
  }: {
    spec: ModelSpec;
    parameters: Parameters;
    type: TensorType;
    tokenizer: { metadata: GgufMetadata };
    name: string;
  },
): Promise<void> {
  const { family, shape, vocabulary, contextLength } = spec;
  const metadata = { ...modelMetadata(family, shape, { name, type, contextLength }), ...tokenizer.metadata };
  const tensors = qwenParameters(family, shape, vocabulary).map((parameter) =>
    ggufTensor(parameter, type, () => parameters[parameter.name] as Float32Array),
  );
  await writeGguf(path, metadata, tensors);
}

/** The files of one quantisation of a model. */
import { LseError } from "../errors.js";
import { nearest } from "../lib/nearest.js";
import type { RemoteFile } from "./hub.js";
import type { ModelEntry } from "./manifest.js";

/** "Qwen3-0.6B-Q8_0.gguf", "Qwen3-0.6B-UD-Q4_K_XL.gguf", "Arctic-Text2SQL-R1-7B.IQ4_XS.gguf" at a repository's root. */
const GGUF = /^[^/]+?[-.]((?:UD-)?I?Q\d[A-Z0-9_]*|BF16|F16|F32)\.gguf$/i;

/** "onnx/model_q4f16.onnx" and its data beside it; "onnx/model.onnx" has numbers of 32 bits. */
const ONNX = /^onnx\/model(?:_([a-z0-9]+))?\.onnx(?:_data(?:_\d+)?)?$/;

/** Tokenizer, chat template and configuration. */
const BESIDE_ONNX = /^[^/]+\.(?:json|jinja|txt)$/;

/**
 * The files of one quantisation of a model.
 * @param quant in any case
 * @throws LseError naming those that there are
 */
export function filesOfQuant(
  { name, format, repository }: ModelEntry,
  files: readonly RemoteFile[],
  quant: string,
): RemoteFile[] {
  const wanted = files.filter(({ path }) => quantOf(path, format)?.toLowerCase() === quant.toLowerCase());
  if (wanted.length > 0) {
    return [...(format === "onnx" ? files.filter(({ path }) => BESIDE_ONNX.test(path)) : []), ...wanted];
  }
  const quants = [
    ...new Set(files.map(({ path }) => quantOf(path, format)).filter((found) => found !== null)),
  ];
  if (quants.length === 0) {
    throw new LseError(
      `${name}: ${repository} has no ${format} files now`,
      "Report it, or give another model",
    );
  }
  throw new LseError(
    `${name}: there is no quantisation "${quant}"`,
    `Did you mean \`quant\` ${nearest(quant, quants)}? There are ${quants.join(", ")}`,
  );
}

function quantOf(path: string, format: ModelEntry["format"]): string | null {
  if (format === "gguf") return GGUF.exec(path)?.[1] ?? null;
  const match = ONNX.exec(path);
  return match === null ? null : (match[1] ?? "fp32");
}

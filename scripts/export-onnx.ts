/**
 * Writes a GGUF of Qwen2 or Qwen3 as a folder for transformers.js, and for `--model` of this program.
 *
 *   npm run export-onnx -- models/mini.gguf mini-onnx
 *   npx lse evolve --task mini --db test/3 --model mini-onnx --out runs/mini
 */
import { Command } from "@commander-js/extra-typings";
import { LseError } from "#lse/errors.js";
import { exportOnnx } from "#lse/onnx-export/export.js";

const program = new Command("export-onnx")
  .description("Write a GGUF as an ONNX model in the layout of transformers.js.")
  .argument("<file>", "a GGUF of Qwen2 or Qwen3")
  .argument("<folder>", "a new folder")
  .parse();

try {
  const [file, folder] = program.processedArgs;
  const { bytes } = await exportOnnx(file, folder);
  console.log(`${folder}: onnx/model.onnx has ${bytes.toLocaleString("en")} bytes`);
} catch (error) {
  if (!(error instanceof LseError)) throw error;
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
}

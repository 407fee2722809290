/** `lse models quantize`: a model's weights in another type, and which types are fast here. */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join, parse } from "node:path";
import { Command, Option } from "@commander-js/extra-typings";
import { formatBytes } from "../download/download.js";
import { LseError } from "../errors.js";
import { FILE_TYPE_NAMES, type FileType } from "../runtime/llama/file-types.js";
import type { Speed } from "../runtime/llama/speed.js";
import { Progress } from "../terminal/progress.js";
import { textTable } from "../terminal/text-table.js";
import { integer } from "./options.js";

export function quantizeCommand() {
  return new Command("quantize")
    .description("write a model with its weights in another type, or measure which types are fast here")
    .argument("<file>", "a GGUF file; an F16 or Q8_0 one is best, as rounding twice loses more")
    .addOption(new Option("--type <name>", "the new type").choices(FILE_TYPE_NAMES))
    .option("--out <file>", "the new file (default: beside the old one, with the type in its name)")
    .addOption(
      new Option(
        "--measure",
        "time the file as it is and in other types, which are not kept, on the processor",
      ).conflicts(["type", "out"]),
    )
    .addOption(
      new Option("--types <names...>", "the types to measure")
        .choices(FILE_TYPE_NAMES)
        .default(["Q4_0", "Q4_K_M", "Q8_0"]),
    )
    .option("--rounds <count>", "how often each is timed, in turns; the best time counts", integer(1), 3)
    .option("--threads <count>", "CPU threads", integer(1), availableParallelism())
    .action(async (file, { type, out, measure, types, rounds, threads }) => {
      if (measure) return console.log(await measureTypes(file, types, rounds, threads));
      if (type === undefined)
        throw new LseError(
          "No type is given",
          "Give `--type`, or `--measure` to see which types are fast here",
        );
      const { dir, name } = parse(file);
      const path = out ?? join(dir, `${name}-${type.toLowerCase()}.gguf`);
      const { quantizeModel } = await import("../runtime/llama/quantize.js");
      await quantizeModel(file, path, type, threads);
      const [before, after] = [file, path].map((each) => formatBytes(statSync(each).size));
      console.log(`${path}: ${after}, before ${before}`);
    });
}

/** A table of speeds, the file as it is first. */
async function measureTypes(
  file: string,
  types: readonly string[],
  rounds: number,
  threads: number,
): Promise<string> {
  const { quantizeModel } = await import("../runtime/llama/quantize.js");
  const { speedOf } = await import("../runtime/llama/speed.js");
  const folder = mkdtempSync(join(dirname(file), ".lse-types-"));
  try {
    using progress = new Progress("steps", types.length + rounds * (types.length + 1));
    const files = [{ name: "as it is", path: file }];
    for (const type of types as FileType[]) {
      const path = join(folder, `${type}.gguf`);
      await quantizeModel(file, path, type, threads);
      files.push({ name: type, path });
      progress.tick();
    }
    const best = new Map<string, Speed>();
    for (let round = 0; round < rounds; round++)
      for (const { name, path } of files) {
        const speed = await speedOf({ modelPath: path, contextSize: 2048, threads, gpuLayers: 0 });
        best.set(name, faster(best.get(name), speed));
        progress.tick();
      }
    return textTable([
      ["type", "size", "prompt tokens/s", "one answer, tokens/s", "16 questions at once, tokens/s"],
      ...files.map(({ name, path }) => {
        const { prompt, single, together } = best.get(name) as Speed;
        const numbers = [prompt, single, together].map((value) => value.toFixed(1));
        return [name, formatBytes(statSync(path).size), ...numbers];
      }),
    ]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const faster = (a: Speed | undefined, b: Speed): Speed =>
  a === undefined
    ? b
    : {
        prompt: Math.max(a.prompt, b.prompt),
        single: Math.max(a.single, b.single),
        together: Math.max(a.together, b.together),
      };

/** Quantised weights as numbers: llama.cpp's own conversions, in the library that node-llama-cpp ships. */
import { basename } from "node:path";
import { GgmlType, getModuleVersion } from "node-llama-cpp";
import { LseError } from "../../errors.js";
import type { Decoder, DecoderOf } from "../../gguf/reader.js";
import { openLibrary } from "./load.js";
import { EXPECTED, loadedLibraries, loadLibrary } from "./native.js";

/**
 * Where libggml-base lies, which has the conversions; node-llama-cpp is loaded for it where that has not happened yet.
 * To be called on the main thread: a worker that has loaded node-llama-cpp takes the process with it when it ends.
 * @throws LseError when the library is another one than this program was written for
 */
export async function ggmlLibrary(): Promise<string> {
  const version = await getModuleVersion();
  let path = loadedBase();
  if (path === undefined) {
    await openLibrary(false);
    path = loadedBase();
  }
  if (path !== undefined && version === EXPECTED.nodeLlamaCpp) return path;
  throw new LseError(
    `quantised weights cannot be read: ${path === undefined ? "there is no libggml-base here" : `node-llama-cpp is ${version}, not ${EXPECTED.nodeLlamaCpp}`}`,
    "Run `npm ci`, or take the model's F16, BF16, F32 or Q8_0 file",
  );
}

const loadedBase = () =>
  loadedLibraries().find((path) => /^(lib)?ggml-base\.(so|dylib|dll)$/i.test(basename(path)));

/**
 * How each of ggml's types is decoded; undefined for one that has no conversion.
 * @param path the library, as `ggmlLibrary` says; any thread may use it
 */
export function ggmlDecoders(path: string): DecoderOf {
  const library = loadLibrary(path);
  const nameOf = library.func("ggml_type_name", "const char *", ["int"]);
  const blockOf = library.func("ggml_blck_size", "int64_t", ["int"]);
  const bytesOf = library.func("ggml_type_size", "size_t", ["int"]);
  const conversion = (type: number) => {
    try {
      return library.func(`dequantize_row_${nameOf(type)}`, "void", ["void *", "void *", "int64_t"]);
    } catch {
      return null;
    }
  };
  const known = new Map<number, Decoder | undefined>();
  const decoderOf = (type: number): Decoder | undefined => {
    // The library ends the process when it is asked about a number that is no type.
    const convert = GgmlType[type] === undefined ? null : conversion(type);
    if (convert === null) return undefined;
    const [block, bytes] = [Number(blockOf(type)), Number(bytesOf(type))];
    return {
      block,
      bytes,
      decode(packed) {
        const values = new Float32Array((packed.length / bytes) * block);
        convert(packed, values, values.length);
        return values;
      },
    };
  };
  return (type) => {
    if (!known.has(type)) known.set(type, decoderOf(type));
    return known.get(type);
  };
}

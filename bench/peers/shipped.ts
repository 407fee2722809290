/** Finds the llama.cpp library that node-llama-cpp installed. */
import { getLlama, LlamaLogLevel } from "node-llama-cpp";
import { installed } from "#lse/runtime/llama/native.js";

/** Absolute path of the libllama that node-llama-cpp runs on this machine's CPU. */
export async function shippedLibrary(): Promise<string> {
  const llama = await getLlama({
    build: "never",
    skipDownload: true,
    progressLogs: false,
    gpu: false,
    logLevel: LlamaLogLevel.error,
  });
  const { libraryPath } = await installed(llama);
  return libraryPath;
}

/** `lse/models`: engines, services, GGUF files, downloads. */
export { carryOut, type DownloadPlan, planDownload } from "../download/download.js";
export { download, downloaded, type Wanted, wantedData, wantedModel } from "../download/get.js";
export { hubOf, listRepository } from "../download/hub.js";
export { readDataManifest, readModelManifest } from "../download/manifest.js";
export type { QwenFamily, QwenShape } from "../gguf/qwen-layout.js";
export { NAMED_SHAPES, writeRandomLora, writeRandomModel } from "../gguf/random-model.js";
export { type ReadModel, readModel } from "../gguf/read-model.js";
export type { Decoder, DecoderOf } from "../gguf/reader.js";
export {
  type LoraFileOptions,
  type TrainedModelOptions,
  writeLora,
  writeTrainedModel,
} from "../gguf/trained-model.js";
export { type GgufMetadata, type GgufTensor, writeGguf } from "../gguf/writer.js";
export { exportOnnx } from "../onnx-export/export.js";
export { AdaptedModel } from "../runtime/adapted-model.js";
export { CachedModel } from "../runtime/cached-model.js";
export { GPUS, type GpuName, type GpuTime, gpuTime } from "../runtime/gpu-time.js";
export { ggmlDecoders, ggmlLibrary } from "../runtime/llama/ggml.js";
export type { LlamaOptions } from "../runtime/llama/load.js";
export { LlamaModel, NodeLlamaCppModel, type OpenLlamaOptions, openLlama } from "../runtime/llama/open.js";
export { OnnxModel, type OnnxOptions } from "../runtime/onnx/onnx-model.js";
export { type Price, Purse } from "../runtime/price.js";
export { openRemote, type RemoteSettings } from "../runtime/remote/open.js";
export { ReplayedModel } from "../runtime/replayed-model.js";
export { type Seat, together } from "../runtime/together.js";
export { UsageMeter } from "../runtime/usage-meter.js";

/** The evolver as training changes it, written to a file and opened again after every update. */
import { join } from "node:path";
import { writeReweighted } from "../../gguf/reweighted-model.js";
import { writeLora } from "../../gguf/trained-model.js";
import type { LanguageModel } from "../../model.js";
import { AdaptedModel } from "../../runtime/adapted-model.js";
import type { LoraSpec, ModelSpec, Parameters } from "../../train/model/spec.js";

/** What a trained evolver is made from. */
export interface TrainedEvolverParts {
  /** Where its file is written. */
  readonly folder: string;
  readonly modelPath: string;
  /** Has the weights that an adapter is for. */
  readonly engine: LanguageModel;
  /** Opens a model's file, for evolvers that are trained whole. */
  readonly openModel: (path: string) => Promise<LanguageModel>;
  readonly spec: ModelSpec;
  /** Null where all parameters are trained. */
  readonly lora: LoraSpec | null;
}

/** The evolver after each update. */
export class TrainedEvolver implements AsyncDisposable {
  /** The file of the last update. */
  readonly path: string;
  #weights: LanguageModel | undefined;

  constructor(private readonly parts: TrainedEvolverParts) {
    this.path = join(parts.folder, parts.lora === null ? "model.gguf" : "adapter.gguf");
  }

  /** @param parameters what is trained. The model opened before must not be used again. */
  async open(parameters: Parameters): Promise<LanguageModel> {
    const { path } = this;
    const { spec, lora, engine, modelPath, openModel } = this.parts;
    if (lora !== null) {
      await writeLora(path, { ...spec, rank: lora.rank, alpha: lora.alpha, parameters, name: "lse evolver" });
      return await AdaptedModel.open(engine, path);
    }
    await this[Symbol.asyncDispose]();
    await writeReweighted(path, modelPath, parameters);
    this.#weights = await openModel(path);
    return this.#weights;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#weights?.[Symbol.asyncDispose]();
    this.#weights = undefined;
  }
}

/** The evolver as training changes it, written to a file and opened again after every update. */
import { join } from "node:path";
import { writeReweighted } from "../../gguf/reweighted-model.js";
import { writeLora } from "../../gguf/trained-model.js";
import type { LanguageModel } from "../../model.js";
import { AdaptedModel } from "../../runtime/adapted-model.js";
import type { LoraSpec, ModelSpec, Parameters } from "../../train/model/spec.js";

export class TrainedEvolver implements AsyncDisposable {
  /** The file of the last update. */
  readonly path: string;
  #weights: LanguageModel | undefined;

  /**
   * @param openModel opens a model's file, for evolvers that are trained whole
   * @param engine has the weights that an adapter is for
   */
  constructor(
    folder: string,
    private readonly model: string,
    private readonly engine: LanguageModel,
    private readonly openModel: (path: string) => Promise<LanguageModel>,
    private readonly spec: ModelSpec,
    private readonly lora: LoraSpec | null,
  ) {
    this.path = join(folder, lora === null ? "model.gguf" : "adapter.gguf");
  }

  /** @param parameters what is trained. The model opened before must not be used again. */
  async open(parameters: Parameters): Promise<LanguageModel> {
    if (this.lora !== null) {
      const { spec, lora, path } = this;
      await writeLora(path, { ...spec, rank: lora.rank, alpha: lora.alpha, parameters, name: "lse evolver" });
      return await AdaptedModel.open(this.engine, path);
    }
    await this[Symbol.asyncDispose]();
    await writeReweighted(this.path, this.model, parameters);
    this.#weights = await this.openModel(this.path);
    return this.#weights;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#weights?.[Symbol.asyncDispose]();
    this.#weights = undefined;
  }
}

/** What is trained: sizes, adapter, parameters. */
import { LseError } from "../../errors.js";
import {
  adapterParameters,
  checkShape,
  checkWhole,
  LINEAR_NAMES,
  type LinearName,
  layerMatrices,
  type QwenFamily,
  type QwenParameter,
  type QwenShape,
  qwenParameters,
} from "../../gguf/qwen-layout.js";

/** A transformer to train. */
export interface ModelSpec {
  readonly family: QwenFamily;
  readonly shape: QwenShape;
  /** Tokens there are: rows of the embedding. */
  readonly vocabulary: number;
  /** The longest sequence, in tokens; positions beyond it are refused. */
  readonly contextLength: number;
}

/** A low-rank addition to linear maps: y + alpha / rank · B (A x), with everything else frozen (Hu et al. 2021). */
export interface LoraSpec {
  readonly rank: number;
  readonly alpha: number;
  /** Which maps of every layer get one. Defaults to all seven. */
  readonly targets?: readonly LinearName[];
}

/** Numbers by the name of their parameter. */
export type Parameters = Readonly<Record<string, Float32Array>>;

/** The parameters of the adapter, two for each matrix it changes. */
export function loraParameters({ shape }: ModelSpec, lora: LoraSpec): QwenParameter[] {
  const targets = lora.targets ?? LINEAR_NAMES;
  return layerMatrices(shape)
    .filter(({ name }) => targets.some((target) => name.includes(`.${target}.`)))
    .flatMap((matrix) => adapterParameters(matrix, lora.rank));
}

/** All parameters, and those of them that training changes: the adapter's if there is one, otherwise all. */
export function parametersOf(
  spec: ModelSpec,
  lora?: LoraSpec,
): { all: QwenParameter[]; trained: QwenParameter[] } {
  const base = qwenParameters(spec.family, spec.shape, spec.vocabulary);
  if (lora === undefined) return { all: base, trained: base };
  const trained = loraParameters(spec, lora);
  return { all: [...base, ...trained], trained };
}

/** @throws LseError naming what cannot be */
export function checkSpec(spec: ModelSpec, lora?: LoraSpec): void {
  checkShape(spec.family, spec.shape, "f32");
  checkWhole("the vocabulary", spec.vocabulary, 2);
  checkWhole("the context length", spec.contextLength, 2);
  if (lora === undefined) return;
  checkWhole("the rank", lora.rank, 1);
  if (!(lora.alpha > 0)) throw new LseError(`alpha is ${lora.alpha}`, "Give a number above 0");
  if (loraParameters(spec, lora).length === 0)
    throw new LseError("the adapter changes no matrix", `Name some of ${LINEAR_NAMES.join(", ")}`);
}

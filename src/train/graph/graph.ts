/**
 * A computation written down as an ONNX graph. Sizes that are unknown until data comes are names ("T"); a graph
 * with such names serves batches of every size. What is recorded on the tape can be differentiated: backward.ts.
 */
import { LseError } from "../../errors.js";
import {
  type Attribute,
  type DataType,
  type Dim,
  encodeOnnx,
  type OnnxConstant,
  type OnnxValue,
} from "./onnx.js";

export type FloatType = "float32" | "float64";

/** A value in the graph. */
export interface Tensor {
  readonly name: string;
  readonly type: DataType;
  readonly dims: readonly Dim[];
}

/** One differentiable step: `output` came from `inputs`. */
export interface TapeEntry {
  readonly op: string;
  readonly output: Tensor;
  readonly inputs: readonly Tensor[];
  /**
   * From the gradient of the output, the gradients of the inputs; `wanted[i]` says which are needed.
   * A gradient that is not wanted may be left undefined.
   */
  readonly backward: (gradient: Tensor, wanted: readonly boolean[]) => readonly (Tensor | undefined)[];
}

/** An operator with what goes in and comes out. */
export interface GraphNode {
  readonly type: string;
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  readonly attributes: Readonly<Record<string, Attribute>>;
  /** "" for ONNX's own operators, "com.microsoft" for ONNX Runtime's. */
  readonly domain: "" | "com.microsoft";
}

export interface GraphOptions {
  /** Of every number that is not an index. float64 is for checking, on the CPU only. */
  readonly float: FloatType;
  /**
   * Whether ONNX Runtime's own fused operators may stand for several of ONNX's. They are faster on the CPU; in
   * float64 they do not exist, and on WebGPU the second output of the fused norm is wrong.
   */
  readonly fused: boolean;
}

export class Graph {
  readonly tape: TapeEntry[] = [];
  /** Names of the values that gradients flow to. */
  readonly differentiable = new Set<string>();
  /** In the order in which they can run. */
  readonly operations: GraphNode[] = [];
  readonly #constants = new Map<string, OnnxConstant>();
  readonly #inputs: OnnxValue[] = [];
  readonly #outputs: OnnxValue[] = [];
  /** Sizes that came with an input, as one-element int64 tensors. */
  readonly #sizes = new Map<string, Tensor>();
  #count = 0;

  constructor(readonly options: GraphOptions) {}

  /** A value fed to every run. A name among its sizes can be used by `reshape` from now on. */
  input(name: string, dims: readonly Dim[], type: DataType = this.options.float): Tensor {
    if (this.#inputs.some((input) => input.name === name)) throw new Error(`two inputs are named ${name}`);
    const tensor = { name, type, dims };
    this.#inputs.push(tensor);
    dims.forEach((dim, axis) => {
      if (typeof dim === "string" && !this.#sizes.has(dim))
        this.#sizes.set(dim, this.node("Shape", [tensor], [1], { start: axis, end: axis + 1 }, "int64"));
    });
    return tensor;
  }

  /** An input that gradients are wanted for. */
  parameter(name: string, dims: readonly Dim[]): Tensor {
    this.differentiable.add(name);
    return this.input(name, dims);
  }

  /** Names a value as a result of a run. */
  output(tensor: Tensor, name: string): void {
    const output = { ...tensor, name };
    this.operations.push({
      type: "Identity",
      inputs: [tensor],
      outputs: [output],
      attributes: {},
      domain: "",
    });
    this.#outputs.push(output);
  }

  /** A number of the graph's float type. */
  scalar(value: number): Tensor {
    return this.constant([value], []);
  }

  /** A list of whole numbers, as ONNX wants axes and shapes. */
  integers(values: readonly number[]): Tensor {
    const bytes = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
    return this.#constant(`int64 ${values}`, "int64", [values.length], bytes);
  }

  constant(values: readonly number[] | Float32Array | Float64Array, dims: readonly number[]): Tensor {
    const { float } = this.options;
    const array = float === "float32" ? Float32Array.from(values) : Float64Array.from(values);
    const key = values.length <= 16 ? `${float} [${dims}] ${[...values]}` : `${float} #${this.#count}`;
    return this.#constant(key, float, dims, new Uint8Array(array.buffer));
  }

  /** One operator with one output, not recorded on the tape. */
  node(
    type: string,
    inputs: readonly Tensor[],
    dims: readonly Dim[],
    attributes: Readonly<Record<string, Attribute>> = {},
    dataType: DataType = inputs[0]?.type ?? this.options.float,
  ): Tensor {
    const [output] = this.nodes(type, inputs, [dims], attributes, "", dataType);
    return output as Tensor;
  }

  /** One operator with any number of outputs, not recorded on the tape. */
  nodes(
    type: string,
    inputs: readonly Tensor[],
    outputs: readonly (readonly Dim[])[],
    attributes: Readonly<Record<string, Attribute>>,
    domain: "" | "com.microsoft",
    dataType: DataType = inputs[0]?.type ?? this.options.float,
  ): Tensor[] {
    const results = outputs.map((dims) => ({ name: this.#name(), type: dataType, dims }));
    this.operations.push({ type, attributes, domain, inputs, outputs: results });
    return results;
  }

  /** Other sizes for the same numbers. At most one size may be a product that no input has, such as "B·T". */
  reshape(tensor: Tensor, dims: readonly Dim[]): Tensor {
    const unknown = dims.filter((dim) => typeof dim === "string" && !this.#sizes.has(dim));
    const names = dims.filter((dim) => typeof dim === "string");
    if (unknown.length > 1) throw new Error(`the sizes ${unknown} are not known`);
    // One name can be left to ONNX; with more, the others are read off an input when the graph runs.
    const inferred = unknown[0] ?? names[0];
    let target: Tensor;
    if (names.length <= 1) target = this.integers(dims.map((dim) => (typeof dim === "number" ? dim : -1)));
    else {
      const parts = dims.map((dim) =>
        dim === inferred
          ? this.integers([-1])
          : typeof dim === "number"
            ? this.integers([dim])
            : (this.#sizes.get(dim) as Tensor),
      );
      target = this.node("Concat", parts, [dims.length], { axis: 0 });
    }
    return this.node("Reshape", [tensor, target], dims);
  }

  /** Puts a step on the tape when a gradient can flow through it. @returns the output */
  record(op: string, output: Tensor, inputs: readonly Tensor[], backward: TapeEntry["backward"]): Tensor {
    if (inputs.some(({ name }) => this.differentiable.has(name))) {
      this.differentiable.add(output.name);
      this.tape.push({ op, output, inputs, backward });
    }
    return output;
  }

  /** Names of the values that a run returns. */
  get results(): string[] {
    return this.#outputs.map(({ name }) => name);
  }

  /** The ONNX file. */
  encode(): Uint8Array {
    if (this.#outputs.length === 0) throw new LseError("the graph computes nothing", "Name an output");
    return encodeOnnx({
      nodes: this.operations.map((node) => ({
        ...node,
        inputs: node.inputs.map(({ name }) => name),
        outputs: node.outputs.map(({ name }) => name),
      })),
      constants: [...this.#constants.values()],
      inputs: this.#inputs,
      outputs: this.#outputs,
    });
  }

  #name(): string {
    return `t${this.#count++}`;
  }

  #constant(key: string, type: DataType, dims: readonly number[], bytes: Uint8Array): Tensor {
    let constant = this.#constants.get(key);
    if (constant === undefined) {
      constant = { name: this.#name(), type, dims, bytes };
      this.#constants.set(key, constant);
    }
    return constant;
  }
}

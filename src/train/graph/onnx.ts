/**
 * ONNX models as bytes. The schema is the part of ONNX that a graph of ours uses; names and numbers are those of
 * https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
 */
import protobuf from "protobufjs";

const SCHEMA = `
syntax = "proto2";
package onnx;
message AttributeProto {
  optional string name = 1; optional float f = 2; optional int64 i = 3; optional bytes s = 4;
  repeated int64 ints = 8; optional int32 type = 20;
}
message NodeProto {
  repeated string input = 1; repeated string output = 2; optional string name = 3; optional string op_type = 4;
  repeated AttributeProto attribute = 5; optional string domain = 7;
}
message TensorProto {
  repeated int64 dims = 1; optional int32 data_type = 2; optional string name = 8; optional bytes raw_data = 9;
}
message Dimension { optional int64 dim_value = 1; optional string dim_param = 2; }
message TensorShapeProto { repeated Dimension dim = 1; }
message TensorType { optional int32 elem_type = 1; optional TensorShapeProto shape = 2; }
message TypeProto { optional TensorType tensor_type = 1; }
message ValueInfoProto { optional string name = 1; optional TypeProto type = 2; }
message GraphProto {
  repeated NodeProto node = 1; optional string name = 2; repeated TensorProto initializer = 5;
  repeated ValueInfoProto input = 11; repeated ValueInfoProto output = 12;
}
message OperatorSetIdProto { optional string domain = 1; optional int64 version = 2; }
message ModelProto {
  optional int64 ir_version = 1; optional string producer_name = 2; optional GraphProto graph = 7;
  repeated OperatorSetIdProto opset_import = 8;
}`;

const modelType = protobuf.parse(SCHEMA, { keepCase: true }).root.lookupType("onnx.ModelProto");

/** The types of tensors in our graphs, by ONNX's numbers. */
export const DATA_TYPES = { float32: 1, int32: 6, int64: 7, bool: 9, float64: 11 } as const;
export type DataType = keyof typeof DATA_TYPES;

/** A size known when the graph is built, or the name of one that comes with the data. */
export type Dim = number | string;

/** A number is an integer attribute; `{ float }` a float one. */
export type Attribute = number | string | readonly number[] | { readonly float: number };

export interface OnnxNode {
  readonly type: string;
  /** An empty name stands for an optional input that is left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
  /** "" for ONNX's own operators, "com.microsoft" for ONNX Runtime's. */
  readonly domain: string;
}

export interface OnnxConstant {
  readonly name: string;
  readonly type: DataType;
  readonly dims: readonly number[];
  readonly bytes: Uint8Array;
}

export interface OnnxValue {
  readonly name: string;
  readonly type: DataType;
  readonly dims: readonly Dim[];
}

export interface OnnxGraph {
  readonly nodes: readonly OnnxNode[];
  readonly constants: readonly OnnxConstant[];
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
}

/** The operators are those of this version of ONNX. */
const OPSET = 22;
const IR_VERSION = 10;
const ATTRIBUTE_TYPES = { float: 1, int: 2, string: 3, ints: 7 } as const;

export function encodeOnnx(graph: OnnxGraph): Uint8Array {
  const message = {
    ir_version: IR_VERSION,
    producer_name: "lse",
    graph: {
      name: "lse",
      node: graph.nodes.map(({ type, inputs, outputs, attributes, domain }) => ({
        op_type: type,
        name: `${outputs[0]}/${type}`,
        input: inputs,
        output: outputs,
        domain,
        attribute: Object.entries(attributes).map(([name, value]) => ({ name, ...attributeValue(value) })),
      })),
      initializer: graph.constants.map(({ name, type, dims, bytes }) => ({
        name,
        dims,
        data_type: DATA_TYPES[type],
        raw_data: bytes,
      })),
      input: graph.inputs.map(valueInfo),
      output: graph.outputs.map(valueInfo),
    },
    opset_import: [
      { domain: "", version: OPSET },
      { domain: "com.microsoft", version: 1 },
    ],
  };
  return modelType.encode(message).finish();
}

function attributeValue(value: Attribute): object {
  if (typeof value === "number") return { i: value, type: ATTRIBUTE_TYPES.int };
  if (typeof value === "string") return { s: Buffer.from(value), type: ATTRIBUTE_TYPES.string };
  if ("float" in value) return { f: value.float, type: ATTRIBUTE_TYPES.float };
  return { ints: value, type: ATTRIBUTE_TYPES.ints };
}

function valueInfo({ name, type, dims }: OnnxValue): object {
  const dim = dims.map((size) => (typeof size === "number" ? { dim_value: size } : { dim_param: size }));
  return { name, type: { tensor_type: { elem_type: DATA_TYPES[type], shape: { dim } } } };
}

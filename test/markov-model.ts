import { smallTokenizer } from "#lse/gguf/tokenizer.js";
import { f32, type GgufTensor, string, u32, writeGguf } from "#lse/gguf/writer.js";

/**
 * A GGUF that writes an edit (`<prompt>…</prompt>`) or an answer (`<answer>…</answer>`) of about a dozen
 * random words, each half of the time, and then ends its turn. Its one layer adds nothing to the embedding,
 * the embedding is one-hot and the output matrix holds the logits of each token's successors: a Markov chain.
 * So tests get edits that are sometimes valid whatever the machine's floating point.
 */
export async function writeMarkovModel(path: string): Promise<void> {
  const { metadata, vocabulary } = smallTokenizer();
  const tokens = metadata["tokenizer.ggml.tokens"]?.value as string[];
  const id = (token: string) => tokens.indexOf(token);
  const words = tokens.flatMap((token, index) => (/^Ġ[a-z]{3,}$/.test(token) ? [index] : []));
  const half = Math.floor(words.length / 2);
  const kinds = [
    { open: id("<prompt>"), close: id("</prompt>"), words: words.slice(0, half) },
    { open: id("<answer>"), close: id("</answer>"), words: words.slice(half) },
  ];
  const end = id("<|im_end|>");

  const width = vocabulary;
  const output = new Float32Array(width * vocabulary);
  // The norm scales a one-hot vector to √width. Whatever is not a successor is e²⁰ times less likely.
  const follow = (from: number, to: number) => {
    output[to * width + from] = 20 / Math.sqrt(width);
  };
  for (let from = 0; from < vocabulary; from++) for (const { open } of kinds) follow(from, open);
  for (const { open, close, words: own } of kinds) {
    for (const from of [open, close, ...own]) for (const kind of kinds) output[kind.open * width + from] = 0;
    for (const from of [open, ...own]) for (const to of own) follow(from, to);
    for (const from of own) follow(from, close);
    follow(close, end);
  }

  const matrix = (name: string, columns: number, rows: number, values?: Float32Array): GgufTensor => ({
    name,
    shape: [columns, rows],
    type: "f32",
    data: () => values ?? new Float32Array(columns * rows),
  });
  const ones = (name: string, size: number): GgufTensor => ({
    name,
    shape: [size],
    type: "f32",
    data: () => new Float32Array(size).fill(1),
  });
  const oneHot = new Float32Array(width * vocabulary);
  for (let token = 0; token < vocabulary; token++) oneHot[token * width + token] = 1;
  const headDim = 32;

  await writeGguf(
    path,
    {
      "general.architecture": string("qwen3"),
      "qwen3.block_count": u32(1),
      "qwen3.context_length": u32(8192),
      "qwen3.embedding_length": u32(width),
      "qwen3.feed_forward_length": u32(32),
      "qwen3.attention.head_count": u32(1),
      "qwen3.attention.head_count_kv": u32(1),
      "qwen3.attention.key_length": u32(headDim),
      "qwen3.attention.value_length": u32(headDim),
      "qwen3.attention.layer_norm_rms_epsilon": f32(1e-6),
      "qwen3.rope.freq_base": f32(1e6),
      ...metadata,
    },
    [
      matrix("token_embd.weight", width, vocabulary, oneHot),
      ones("output_norm.weight", width),
      matrix("output.weight", width, vocabulary, output),
      ones("blk.0.attn_norm.weight", width),
      matrix("blk.0.attn_q.weight", width, headDim),
      matrix("blk.0.attn_k.weight", width, headDim),
      matrix("blk.0.attn_v.weight", width, headDim),
      matrix("blk.0.attn_output.weight", headDim, width),
      ones("blk.0.attn_q_norm.weight", headDim),
      ones("blk.0.attn_k_norm.weight", headDim),
      ones("blk.0.ffn_norm.weight", width),
      matrix("blk.0.ffn_gate.weight", width, 32),
      matrix("blk.0.ffn_up.weight", width, 32),
      matrix("blk.0.ffn_down.weight", 32, width),
    ],
  );
}

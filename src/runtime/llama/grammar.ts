/** Which tokens a GBNF grammar allows next. */
import koffi from "koffi";
import { LseError } from "../../errors.js";
import type { Candidate } from "../sampler.js";
import type { NativeLlama, Pointer } from "./native.js";

/** llama_token_data: id, logit and a probability that is not used, 4 bytes each. */
const ENTRY = 12;

/** The state of one completion in a GBNF grammar: which tokens may come next. */
export class Grammar {
  readonly #native: NativeLlama;
  #sampler: Pointer;

  /** @throws LseError for a text that is no grammar with a rule named "root" */
  constructor(native: NativeLlama, vocabulary: Pointer, text: string) {
    this.#native = native;
    this.#sampler = text.trim() === "" ? null : native.sampler_init_grammar(vocabulary, text, "root");
    if (this.#sampler !== null) return;
    const start = text.trim().split("\n")[0]?.slice(0, 60);
    throw new LseError(
      `llama.cpp cannot read the grammar that begins "${start}"`,
      'Write it in GBNF, with a rule named "root"',
    );
  }

  /** Those of the candidates that may come next, in their order. */
  allowed(candidates: readonly Candidate[]): Candidate[] {
    const entries = new DataView(new ArrayBuffer(ENTRY * candidates.length));
    for (const [i, { token, logit }] of candidates.entries()) {
      entries.setInt32(ENTRY * i, token, true);
      entries.setFloat32(ENTRY * i + 4, logit, true);
    }
    this.#native.sampler_apply(this.#sampler, {
      data: koffi.address(entries),
      size: candidates.length,
      selected: -1,
      sorted: false,
    });
    // What may not come has been given a logit of minus infinity.
    return candidates.filter((_, i) => entries.getFloat32(ENTRY * i + 4, true) !== Number.NEGATIVE_INFINITY);
  }

  /** Goes on behind a token, which must be allowed. */
  accept(token: number): void {
    this.#native.sampler_accept(this.#sampler, token);
  }

  /** Frees it, once. */
  free(): void {
    if (this.#sampler !== null) this.#native.sampler_free(this.#sampler);
    this.#sampler = null;
  }
}

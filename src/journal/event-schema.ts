/** What has to be in the events of a journal, checked when they are read: a file may have been edited or damaged. */
import { z } from "zod";
import type { RunEvent } from "./journal.js";

const int = z.int();
/** Scores that are not known are NaN, which JSON has no word for. */
const score = z.number().nullable();
const text = z.string();

const usage = z.looseObject({
  completions: int,
  promptTokensAsked: z.number(),
  promptTokensEvaluated: z.number(),
  tokensGenerated: z.number(),
  seconds: z.number(),
});

/** Fields of each type beside `type` and `key`; others are let pass, as newer versions may write them. */
export const EVENT_FIELDS: { readonly [Type in RunEvent["type"]]: z.ZodType } = {
  inputs: z.looseObject({
    model: text,
    evolver: text.optional(),
    contextSize: z.number(),
    task: text,
    strategy: text.optional(),
  }),
  generation: z.looseObject({
    fingerprint: text,
    completion: z.looseObject({
      text,
      tokens: z.array(int),
      logprobs: z.array(score),
      finishReason: text,
      promptTokens: int,
      generatedTokens: int,
    }),
  }),
  tokens: z.looseObject({ count: int }),
  answer: z.looseObject({
    node: int,
    phase: z.enum(["batch", "gate", "holdout", "test"]),
    round: int,
    problem: text,
    sample: int,
    outcome: z.looseObject({ score: z.number(), correct: z.boolean(), answer: text, error: text.nullable() }),
    promptTokens: int,
    tokens: int,
    completions: int.optional(),
    confidence: z.number().optional(),
    repaired: z.literal(true).optional(),
    examples: z.array(text).optional(),
  }),
  reading: z.looseObject({
    reading: z.looseObject({
      answer: text,
      result: text.nullable(),
      failure: text.nullable(),
      isEmpty: z.boolean(),
      mended: text.optional(),
    }),
  }),
  round: z.looseObject({ round: int, selected: int }),
  edit: z.looseObject({
    round: int,
    parent: int,
    attempt: int,
    kind: text.optional(),
    rejected: text.nullable(),
    promptTokens: int,
    tokens: int,
  }),
  reward: z.looseObject({ reward: z.looseObject({ reward: z.number(), invalid: z.boolean() }) }),
  node: z.looseObject({
    node: int,
    parent: int.nullable(),
    round: int,
    score,
    standardError: score,
    instructions: text.optional(),
  }),
  gate: z.looseObject({ round: int, before: z.number(), edited: score, adopted: z.boolean() }),
  usage: z.looseObject({ round: int, seconds: z.number(), models: z.array(usage) }),
  refined: z.looseObject({ node: int, score, standardError: score }),
  warning: z.looseObject({ text }),
  stop: z.looseObject({ round: int, by: text, reason: text }),
  test: z.looseObject({ node: int, problems: int, mean: score, low: score, high: score }),
  kfold: z.looseObject({ folds: int, mean: score, deviation: score, nodes: z.array(int) }),
  done: z.looseObject({ best: int, reason: text }),
};

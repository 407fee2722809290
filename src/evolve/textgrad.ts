/**
 * TextGrad as the paper's baseline (Yuksekgonul et al. 2024; the published code's lse/textgrad_baseline.py): one call
 * criticises the instructions by their failures, a second rewrites them after the critique. Only an edit that scores
 * strictly higher on the holdout is kept, which is the choice of nodes (`accepted`).
 */

import type { Answer } from "../answer/answer.js";
import type { ChatMessage } from "../model.js";
import type { Task } from "../task.js";
import { REWRITE } from "./edit-kinds.js";
import {
  complete,
  type EditAttempt,
  type EditSeed,
  type EditWriter,
  editSeed,
  LseWriter,
  type Review,
  type WriterParts,
} from "./edit-writer.js";
import { judgeEdit } from "./judge-edit.js";
import { evolverPromptLimit } from "./room.js";
import { cut } from "./summary.js";
import type { TreeNode } from "./tree.js";

/** The published code's limits (configs/base.yaml). */
const MAX_FAILURES = 6;
const MAX_FIELD_CHARS = 1200;
const MAX_INSTRUCTIONS_CHARS = 8192;
/** Errors that begin alike are one kind. */
const ERROR_KEY_CHARS = 120;
const TAG = "IMPROVED_VARIABLE";

/** TextGrad's way: a critique of the failures, then a rewrite after it. */
export class TextGradWriter implements EditWriter {
  /** For tasks whose models know only the task's own prompt: that prompt, with the chosen failures. */
  readonly #single: LseWriter;

  constructor(private readonly parts: WriterParts) {
    this.#single = new LseWriter(parts, REWRITE);
  }

  messages(parent: TreeNode, batch: readonly Answer[]): ChatMessage[] {
    const { task } = this.parts;
    const failures = chooseFailures(batch);
    if (task.evolverPrompt !== undefined) return this.#single.messages(parent, failures, []);
    return this.#fitting(
      (count) => critic(task, parent.instructions, failures.slice(0, count)),
      failures.length,
      1,
    );
  }

  async propose(parent: TreeNode, review: Review, at: EditSeed, signal?: AbortSignal): Promise<EditAttempt> {
    const { task, unusable } = this.parts;
    if (task.evolverPrompt !== undefined) return await this.#single.propose(parent, review, at, signal);
    const critique = await complete(this.parts, review.messages, editSeed(at, "critique"), signal);
    if (critique.text.trim() === "")
      return {
        instructions: "",
        rejected: "the critique is empty",
        replies: [],
        promptTokens: critique.promptTokens,
        tokens: critique.generatedTokens,
      };
    const asked = this.#fitting(
      (chars) => optimizer(parent.instructions, cut(critique.text, chars)),
      critique.text.length,
    );
    const rewrite = await complete(this.parts, asked, editSeed(at, "rewrite"), signal);
    const rules = { parent: parent.instructions, unusable, tag: TAG, maxChars: MAX_INSTRUCTIONS_CHARS };
    const { instructions, reason: rejected } = judgeEdit(rewrite, rules);
    return {
      instructions,
      rejected,
      replies: [
        { role: "assistant", content: critique.text },
        ...asked,
        { role: "assistant", content: rewrite.text },
      ],
      promptTokens: critique.promptTokens + rewrite.promptTokens,
      tokens: critique.generatedTokens + rewrite.generatedTokens,
    };
  }

  /** The messages with as much in them as the context has room for. @param step less of it at a time; a tenth if left out */
  #fitting(
    messagesOf: (amount: number) => ChatMessage[],
    most: number,
    step = Math.ceil(most / 10),
  ): ChatMessage[] {
    const { evolver, sampling } = this.parts;
    const limit = evolverPromptLimit(evolver.contextSize, sampling.maxTokens);
    for (let amount = most; ; amount -= step) {
      const messages = messagesOf(Math.max(0, amount));
      if (amount <= 0 || evolver.countTokens(messages) <= limit) return messages;
    }
  }
}

/**
 * The failures that the critic reads (lse/textgrad_baseline.py:29-71): one of each kind of error first, then the
 * earliest others, at most six, in the order of the batch; if nothing failed, the whole batch stands for them.
 */
export function chooseFailures(batch: readonly Answer[]): Answer[] {
  const wrong = batch.filter(({ outcome }) => !outcome.correct);
  const rows = wrong.length === 0 ? batch : wrong;
  const kinds = new Set<string>();
  const first = rows.filter(({ outcome: { error } }) => {
    const kind = error?.toLowerCase().slice(0, ERROR_KEY_CHARS);
    if (kind === undefined || kinds.has(kind)) return false;
    kinds.add(kind);
    return true;
  });
  const kept = new Set([...new Set([...first, ...rows])].slice(0, MAX_FAILURES));
  return rows.filter((row) => kept.has(row));
}

function critic(task: Task, instructions: string, failures: readonly Answer[]): ChatMessage[] {
  const conversations = failures.map(({ problem, response, outcome }) => {
    const report = cut(task.report(problem, outcome), MAX_FIELD_CHARS);
    return `<LM_INPUT>\n${report}\n</LM_INPUT>\n<LM_OUTPUT>\n${cut(response, MAX_FIELD_CHARS)}\n</LM_OUTPUT>`;
  });
  return [
    {
      role: "system",
      content:
        "You give feedback on a variable: the instructions of a language model. Your feedback is a text gradient: it says how the variable should change so that the objective improves. Do not write a new version yourself.",
    },
    {
      role: "user",
      content: `<VARIABLE>
${instructions}
</VARIABLE>

<CONTEXT>
${task.systemPrompt(instructions)}
</CONTEXT>

Here is how the model did under this variable:

${conversations.join("\n\n")}

<OBJECTIVE>
The share of problems that are answered right, on new problems of the same kind. The answers' form must stay as it is.
</OBJECTIVE>

Say what in the variable led to these failures and what it lacks. Speak of causes that other problems share.`,
    },
  ];
}

function optimizer(instructions: string, critique: string): ChatMessage[] {
  return [
    {
      role: "system",
      content: `You improve a variable, the instructions of a language model, by the feedback you are given. Write the whole improved variable between <${TAG}> and </${TAG}>.`,
    },
    {
      role: "user",
      content: `<VARIABLE>
${instructions}
</VARIABLE>

<FEEDBACK>
${critique}
</FEEDBACK>

<CONSTRAINTS>
- It must help with new problems of the same kind, not only with those that the feedback speaks of.
- It must keep the form of the answers, <answer> and </answer> around them.
- At most ${MAX_INSTRUCTIONS_CHARS} characters, and no worked examples.
</CONSTRAINTS>

Improve the variable. Put it between <${TAG}> and </${TAG}>.`,
    },
  ];
}

/** A run of evolution so far, and the steps that rounds are made of. */

import {
  type Answer,
  answer,
  answerSeeds,
  eachSample,
  gradesIn,
  type ProblemSample,
  problemScores,
  scoreOf,
} from "../answer/answer.js";
import { answerSampling } from "../answer/strategy.js";
import {
  type AnswerPhase,
  type CrossValidatedScore,
  editKey,
  type Journal,
  type TestScore,
} from "../journal/journal.js";
import { bootstrapMean } from "../lib/statistics.js";
import type { ChatMessage, LanguageModel } from "../model.js";
import { costOf, type Price } from "../runtime/price.js";
import type { Task } from "../task.js";
import { Batches } from "./batches.js";
import type { EditKindName, EvolveConfig } from "./config.js";
import { EditHistory, type Memory } from "./edit-history.js";
import type { EditAttempt, EditWriter, Review } from "./edit-writer.js";
import { crossValidate } from "./kfold.js";
import { drawKind } from "./mixed.js";
import type { Split } from "./split.js";
import { EvolutionTree, type TreeNode } from "./tree.js";
import { UnreadableAnswers } from "./unreadable.js";

/** What the tree file keeps of a node beside the tree itself: the data an evolver is trained on. */
export interface NodeRecord {
  /** The chat that wrote the node's instructions; null for the root. */
  conversation: readonly ChatMessage[] | null;
  /** Outcomes of the batch that the prompt is about, with `problem`, or of the latest one; null until it has answered one. */
  summary: readonly Readonly<Record<string, unknown>>[] | null;
  /** The latest prompt that asked for an edit of the node; null until there is one. */
  selfEvolvePrompt: readonly ChatMessage[] | null;
  /** The kind of edit that it asks for, or of the latest one where none was asked for; null until then. */
  editKind: EditKindName | null;
}

/** What models cost; those without a price cost nothing. */
export interface Prices {
  readonly answers?: Price | undefined;
  readonly edits?: Price | undefined;
}

/** What a run has asked for, in this process and before. */
interface Spending {
  answers: number;
  /** Of all answers. */
  completions: number;
  /** Attempts at edits. */
  edits: number;
  /** Generated, by answers. */
  answerTokens: number;
  /** Generated, by edits. */
  editTokens: number;
  /** Dollars. */
  answersCost: number;
  editsCost: number;
}

/** A review, and what writes the edit of such a kind. */
interface KindReview extends Review {
  readonly kind: EditKindName;
  readonly writer: EditWriter;
}

/** An edit that may be adopted, with the chat that wrote it. */
export interface Edit {
  readonly instructions: string;
  readonly conversation: readonly ChatMessage[];
}

const priced = (price: Price | undefined, promptTokens: number, tokens: number) =>
  price === undefined ? 0 : costOf(price, promptTokens, tokens);

const newRecord = (conversation: NodeRecord["conversation"]): NodeRecord => ({
  conversation,
  summary: null,
  selfEvolvePrompt: null,
  editKind: null,
});

/** What the choice of a node depends on. */
export interface ChoiceView {
  readonly tree: EvolutionTree;
  readonly config: EvolveConfig;
  /** Of each node, by the holdout's problems; empty for one that is not scored. */
  holdoutScores(): number[][];
}

/** Chooses the node to edit in a round. */
export type NodeChoice = (view: ChoiceView, round: number) => TreeNode;

/** What a run is made of. */
export interface RunParts {
  readonly task: Task;
  /** The action policy: answers problems. */
  readonly policy: LanguageModel;
  readonly choose: NodeChoice;
  readonly remembers: Memory;
  /** At least one. With several, each round draws the kind of its edit. */
  readonly writers: ReadonlyMap<EditKindName, EditWriter>;
  readonly config: EvolveConfig;
  readonly split: Split;
  readonly journal: Journal;
  readonly prices: Prices;
  readonly signal?: AbortSignal | undefined;
}

/** A run of evolution: its tree so far, and the steps that rounds are made of. Every step is journaled. */
export class Run implements ChoiceView {
  readonly config: EvolveConfig;
  readonly split: Split;
  readonly tree: EvolutionTree;
  /** By node id. */
  readonly records: NodeRecord[] = [];
  /** Edits that were not usable, with the reason in the journal. */
  rejectedEdits = 0;
  /** How the chosen node did on the test; null until the end, and where there is no test. */
  test: TestScore | null = null;
  /** The estimate by cross-validation; null where none was asked for, and until the end. */
  crossValidation: CrossValidatedScore | null = null;
  readonly spent: Spending = {
    answers: 0,
    completions: 0,
    edits: 0,
    answerTokens: 0,
    editTokens: 0,
    answersCost: 0,
    editsCost: 0,
  };
  /** To the holdout, by node id. */
  readonly #holdoutAnswers: Answer[][] = [];
  /** Of each node, by id. */
  readonly #reviews: KindReview[] = [];
  readonly #unreadable = new UnreadableAnswers();
  readonly #batches: Batches;
  readonly #history: EditHistory;

  constructor(private readonly parts: RunParts) {
    this.config = parts.config;
    this.split = parts.split;
    this.tree = new EvolutionTree(parts.task.seedInstructions);
    this.#batches = new Batches(parts.config, parts.split, this.tree);
    this.#history = new EditHistory(this.tree);
    this.records.push(newRecord(null));
  }

  holdoutScores(): number[][] {
    return this.tree.nodes.map(({ id }) => problemScores(this.#holdoutAnswers[id] ?? []));
  }

  /** Chooses the node to edit. */
  select(round: number): TreeNode {
    const chosen = this.tree.visit(this.parts.choose(this, round).id);
    this.parts.journal.record({ type: "round", key: String(round), round, selected: chosen.id });
    return chosen;
  }

  /** The kind of edit that a round asks for. */
  kindOf(round: number): EditKindName {
    const kinds = [...this.parts.writers.keys()];
    return kinds.length === 1
      ? (kinds[0] as EditKindName)
      : drawKind(kinds, this.#history.trials(), this.config.seed, round);
  }

  /** Answers the round's batch once. */
  async answerBatch(node: TreeNode, round: number): Promise<Answer[]> {
    const problems = this.#batches.draw(node, round);
    const answers = await this.#answer(node, "batch", round, eachSample(problems, 1));
    this.#batches.keep(node, answers);
    return answers;
  }

  /** Answers the round's batch once under an edit that is no node yet. */
  answerBatchUnder(instructions: string, round: number): Promise<Answer[]> {
    const candidate = { id: this.tree.nodes.length, instructions };
    return this.#answer(candidate, "gate", round, eachSample(this.#batches.of(round), 1));
  }

  /** Keeps what a node did on a round's batch: what the evolver reads when it edits the node. */
  review(node: TreeNode, batch: readonly Answer[], round: number): void {
    const kind = this.kindOf(round);
    const { config, split } = this;
    const now = { node: node.id, round, config, split };
    const told = this.#history.past(kind).filter((past) => this.parts.remembers(past, now));
    const writer = this.parts.writers.get(kind) as EditWriter;
    const messages = writer.messages(
      node,
      batch,
      told.map(({ edit }) => edit),
    );
    const record = this.records[node.id] as NodeRecord;
    // A prompt stays for training where the next round's kind of edit asks for none.
    if (messages.length > 0 || record.selfEvolvePrompt === null) {
      record.summary = batch.map(({ problem, outcome }) => ({ problem, ...outcome }));
      record.selfEvolvePrompt = messages.length === 0 ? null : messages;
      record.editKind = kind;
    }
    this.#reviews[node.id] = { messages, batch, kind, writer };
  }

  /**
   * Asks for an edit of a node that was reviewed.
   * @param tries attempts at one that can be used
   * @returns null when none could
   */
  async edit(parent: TreeNode, round: number, tries: number): Promise<Edit | null> {
    const { seed } = this.config;
    const review = this.#reviews[parent.id] as KindReview;
    const noteRejected = this.#history.ask(round, parent, review.kind);
    let failed: EditAttempt | undefined;
    for (let attempt = 1; attempt <= tries; attempt++) {
      const at = { seed, round, attempt, failed };
      const edit = await review.writer.propose(parent, review, at, this.parts.signal);
      this.#recordAttempt(edit, parent, round, attempt, review.kind);
      if (edit.rejected === null)
        return { instructions: edit.instructions, conversation: [...review.messages, ...edit.replies] };
      noteRejected(edit.rejected);
      failed = edit;
    }
    return null;
  }

  /** Adds an edit to the tree. */
  adopt(parent: TreeNode, { instructions, conversation }: Edit, round: number): TreeNode {
    this.records.push(newRecord(conversation));
    return this.tree.add(parent.id, instructions, round);
  }

  /** Scores a new node on the holdout. */
  async scoreNode(node: TreeNode): Promise<void> {
    const { holdout } = this.split;
    const answers = await this.#answer(node, "holdout", node.round, eachSample(holdout, this.config.samples));
    this.#holdoutAnswers[node.id] = answers;
    Object.assign(node, scoreOf(answers));
    const { id, parent, round, score, standardError, instructions } = node;
    const scored = { node: id, parent, round, score, standardError, instructions };
    this.parts.journal.record({ type: "node", key: String(id), ...scored });
  }

  /** Scores the best node anew with `count` more answers to the holdout's problems, in their order. */
  async refineBest(count: number): Promise<void> {
    const node = this.tree.best();
    const { holdout } = this.split;
    const { samples } = this.config;
    const more = eachSample(holdout, samples + Math.ceil(count / holdout.length))
      .filter(({ sample }) => sample >= samples)
      .sort((a, b) => a.sample - b.sample)
      .slice(0, count);
    const first = this.#holdoutAnswers[node.id] as Answer[];
    const answers = [...first, ...(await this.#answer(node, "holdout", node.round, more))];
    this.#holdoutAnswers[node.id] = answers;
    Object.assign(node, scoreOf(answers));
    const { id, score, standardError } = node;
    this.parts.journal.record({ type: "refined", key: String(id), node: id, score, standardError });
  }

  /** Lets the best node answer the test. */
  async testBest(): Promise<void> {
    const chosen = this.tree.best();
    const asked = eachSample(this.split.test, this.config.samples);
    const scores = problemScores(await this.#answer(chosen, "test", 0, asked));
    const interval = bootstrapMean(scores, this.config.seed);
    this.test = { node: chosen.id, problems: scores.length, ...interval };
    this.parts.journal.record({ type: "test", key: "test", ...this.test });
  }

  /** Notes what came of an edit's second look at its batch; `edited` is null where there was nothing to improve. */
  recordGate(round: number, before: number, edited: number | null, isAdopted: boolean): void {
    this.parts.journal.record({
      type: "gate",
      key: String(round),
      round,
      before,
      edited,
      adopted: isAdopted,
    });
  }

  /** Chooses a node on all folds but one, and scores it on that one; needs no answers of its own. */
  crossValidate(k: number): void {
    const scored = this.tree.nodes.filter(({ id }) => this.#holdoutAnswers[id] !== undefined);
    const scores = scored.map(({ id }) => problemScores(this.#holdoutAnswers[id] as Answer[]));
    const { folds, mean, deviation } = crossValidate(scores, k, this.config.seed);
    const nodes = folds.map(({ chosen }) => (scored[chosen] as TreeNode).id);
    this.crossValidation = { folds: k, mean, deviation, nodes };
    this.parts.journal.record({ type: "kfold", key: "kfold", ...this.crossValidation });
  }

  async #answer(
    { id: node, instructions }: Pick<TreeNode, "id" | "instructions">,
    phase: AnswerPhase,
    round: number,
    asked: readonly ProblemSample[],
  ): Promise<Answer[]> {
    const { task, policy, config, journal, prices, signal } = this.parts;
    const grades = gradesIn(journal, { node, phase, round });
    const answers = await answer(task, policy, {
      instructions,
      asked,
      strategy: config.strategy,
      sampling: config.sampling,
      seedOf: answerSeeds(config.seed, phase, round),
      recall: grades.recall,
      read: grades.read,
      onGraded: (graded) => {
        grades.onGraded(graded);
        this.#warnOf(graded);
      },
      signal,
    });
    this.spent.answers += answers.length;
    for (const { promptTokens, tokens, completions } of answers) {
      this.spent.completions += completions;
      this.spent.answerTokens += tokens;
      this.spent.answersCost += priced(prices.answers, promptTokens, tokens);
    }
    return answers;
  }

  #warnOf(answer: Answer): void {
    const { sampling, strategy } = this.config;
    const room = this.parts.policy.contextSize - answer.promptTokens / answer.completions;
    const text = this.#unreadable.look(answer, Math.min(answerSampling(sampling, strategy).maxTokens, room));
    if (text !== null) this.parts.journal.record({ type: "warning", key: "unreadable", text });
  }

  #recordAttempt(
    { rejected, promptTokens, tokens }: EditAttempt,
    parent: TreeNode,
    round: number,
    attempt: number,
    kind: EditKindName,
  ) {
    const isDrawn = this.parts.writers.size > 1;
    const at = { round, parent: parent.id, attempt, ...(isDrawn ? { kind } : {}) };
    this.parts.journal.record({
      type: "edit",
      key: editKey(round, attempt),
      ...at,
      rejected,
      promptTokens,
      tokens,
    });
    this.spent.edits++;
    this.spent.editTokens += tokens;
    this.spent.editsCost += priced(this.parts.prices.edits, promptTokens, tokens);
    if (rejected === null) return;
    this.rejectedEdits++;
  }
}

import type { ChatMessage } from "../chat.js";
import { LseError } from "../errors.js";
import type { AnswerPhase, Journal, TestScore } from "../journal.js";
import { CachedModel } from "../runtime/cached-model.js";
import type { LanguageModel } from "../runtime/model.js";
import { bootstrapMean } from "../statistics.js";
import type { Outcome, Task } from "../task.js";
import { answerProblems, problemScores, rewardOf } from "./answer.js";
import { type EvolveConfig, SELECTIONS } from "./config.js";
import { type EditAttempt, type Evolver, editSamplingOf, LseEvolver } from "./evolver.js";
import { roomCheck } from "./room.js";
import { batchOf, type Split, splitProblems } from "./split.js";
import { whyStop } from "./stops.js";
import { TextGradEvolver } from "./textgrad.js";
import { EvolutionTree, type TreeNode } from "./tree.js";

/** What the tree file keeps of a node beside the tree itself: the data an evolver is trained on. */
export interface NodeRecord {
  /** The chat that wrote the node's instructions; null for the root. */
  conversation: readonly ChatMessage[] | null;
  /** Outcomes of the node's latest batch; null until it is selected. */
  summary: readonly ({ readonly problem: string } & Outcome)[] | null;
  /** The prompt that asks for an edit of the node, after its latest batch; null until it is selected. */
  selfEvolvePrompt: readonly ChatMessage[] | null;
}

export interface Evolution {
  readonly tree: EvolutionTree;
  /** By node id. */
  readonly records: readonly NodeRecord[];
  readonly split: Split;
  /** Edits that were not adopted, with the reason. */
  readonly rejectedEdits: number;
  /** How the chosen node did on the test; null until the end, and where there is no test. */
  readonly test: TestScore | null;
}

export interface EvolveOptions {
  /** Writes the edits; left out, the model that answers does. */
  readonly evolver?: LanguageModel | undefined;
  /** Asked before each round: whether someone wants the run to end in good order. */
  readonly stopRequested?: () => boolean;
  /** Called with the state after the seed's holdout and after every round: the moment to save it. */
  readonly onRound?: (evolution: Evolution, round: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Checks that there are problems enough and that the prompts fit the context, before anything is paid for.
 * @returns the task's problems, divided
 * @throws LseError naming the option to change
 */
export function requireRunnable(task: Task, model: LanguageModel, config: EvolveConfig): Split {
  const split = splitProblems(task, config);
  const least = (split.holdout.length + split.test.length) * config.samples;
  if (config.stop.answers !== undefined && config.stop.answers < least)
    throw new LseError(
      `${task.id}: ${config.stop.answers} answers do not suffice for the seed's holdout and the test, which take ${least}`,
      "Raise --stop-answers, or lower --holdout, --test or --samples",
    );
  const tooLong = roomCheck(task, model, config)(task.seedInstructions);
  if (tooLong === null) return split;
  throw new LseError(
    `${task.id}: ${tooLong}`,
    "Raise --context, if the model was trained for more, or give a shorter schema",
  );
}

/**
 * Evolves a task's instructions (paper, algorithm 1). The seed is scored on the holdout; then each round
 * selects a node, answers a batch with its instructions, lets the evolver rewrite them, and scores the
 * rewrite on the holdout as a new node. An edit that stays invalid after `tries` attempts costs the round
 * and is never adopted. At the end the node with the highest reward, and no other, answers the test.
 *
 * Deterministic given the model: everything random is seeded by `config.seed`, and everything paid for is
 * recalled from the journal, so running it again with the journal of a killed run completes that run.
 * @throws LseError before the first generation when problems or context do not suffice
 */
export async function evolve(
  task: Task,
  languageModel: LanguageModel,
  config: EvolveConfig,
  journal: Journal,
  { evolver: writer, onRound, signal, stopRequested }: EvolveOptions = {},
): Promise<Evolution> {
  requireSameInputs(journal, languageModel, writer, task);
  const model = new CachedModel(languageModel, journal);
  const split = requireRunnable(task, model, config);
  const tree = new EvolutionTree(task.seedInstructions);
  const records: NodeRecord[] = [];
  const evolver: Evolver = new (config.method === "textgrad" ? TextGradEvolver : LseEvolver)(
    writer === undefined ? model : new CachedModel(writer, journal),
    task,
    editSamplingOf(config),
    roomCheck(task, model, config),
  );
  const state = { tree, records, split, rejectedEdits: 0, test: null as TestScore | null };
  const spent = { answers: 0, tokens: 0 };
  const started = performance.now();

  const answer = async (node: TreeNode, phase: AnswerPhase, round: number, problems: readonly string[]) => {
    const answers = await answerProblems(
      {
        node: node.id,
        instructions: node.instructions,
        phase,
        round,
        problems,
        samples: phase === "batch" ? 1 : config.samples,
        seed: config.seed,
      },
      task,
      model,
      config.sampling,
      journal,
      signal,
    );
    spent.answers += answers.length;
    for (const { tokens } of answers) spent.tokens += tokens;
    return answers;
  };

  /** Why no round is begun after this one. What was decided once holds for the resumed run too. */
  const stopAfter = (round: number): string | null => {
    const decided = journal.recall("stop", "stop");
    if (decided !== undefined) return decided.round === round ? decided.reason : null;
    // A killed run had begun the next round: what it paid for there is used.
    if (journal.recall("round", String(round + 1)) !== undefined) return null;
    const minutes = (performance.now() - started) / 60_000;
    const next = config.batch + (split.holdout.length + split.test.length) * config.samples;
    const reason = stopRequested?.()
      ? "someone asked for it"
      : whyStop(config.stop, { round, ...spent, minutes }, next, tree);
    if (reason !== null) journal.record({ type: "stop", key: "stop", round, reason });
    return reason;
  };

  const scoreNode = async (node: TreeNode, conversation: readonly ChatMessage[] | null) => {
    records[node.id] = { conversation, summary: null, selfEvolvePrompt: null };
    Object.assign(node, rewardOf(await answer(node, "holdout", node.round, split.holdout)));
    const { id, parent, round, reward, standardError } = node;
    journal.record({ type: "node", key: String(id), node: id, parent, round, reward, standardError });
  };

  await scoreNode(tree.root, null);
  onRound?.(state, 0);
  let stopped = null as string | null;
  for (let round = 1; round <= config.rounds; round++) {
    stopped = stopAfter(round - 1);
    if (stopped !== null) break;
    const parent = tree.select(SELECTIONS[config.method], config.ucbC);
    journal.record({ type: "round", key: String(round), round, selected: parent.id });
    const batch = await answer(parent, "batch", round, batchOf(split.pool, config.batch, round, config.seed));
    const record = records[parent.id] as NodeRecord;
    const messages = evolver.messages(parent, batch);
    record.summary = batch.map(({ problem, outcome }) => ({ problem, ...outcome }));
    record.selfEvolvePrompt = messages;
    const edit = await proposeUntilValid(
      evolver,
      parent,
      messages,
      round,
      config,
      (attempt, { rejected, promptTokens, tokens }) => {
        const at = { round, parent: parent.id, attempt };
        journal.record({ type: "edit", key: `${round}/${attempt}`, ...at, rejected, promptTokens, tokens });
        spent.tokens += tokens;
        if (rejected !== null) state.rejectedEdits++;
      },
      signal,
    );
    if (edit !== null) {
      const child = tree.add(parent.id, edit.instructions, round);
      await scoreNode(child, [...messages, ...edit.replies]);
    }
    onRound?.(state, round);
  }
  if (split.test.length > 0) {
    const chosen = tree.best();
    const scores = problemScores(await answer(chosen, "test", 0, split.test));
    const interval = bootstrapMean(scores, config.seed);
    state.test = { node: chosen.id, problems: scores.length, ...interval };
    journal.record({ type: "test", key: "test", ...state.test });
  }
  journal.record({
    type: "done",
    key: "done",
    best: tree.best().id,
    reason: stopped ?? "all rounds were done",
  });
  return state;
}

async function proposeUntilValid(
  evolver: Evolver,
  parent: TreeNode,
  messages: readonly ChatMessage[],
  round: number,
  { tries, seed }: EvolveConfig,
  onAttempt: (attempt: number, edit: EditAttempt) => void,
  signal?: AbortSignal,
): Promise<EditAttempt | null> {
  for (let attempt = 1; attempt <= tries; attempt++) {
    const edit = await evolver.propose(parent, messages, { seed, round, attempt }, signal);
    onAttempt(attempt, edit);
    if (edit.rejected === null) return edit;
  }
  return null;
}

/** A resumed run must go on with what it began with: its kept answers belong to that model and those problems. */
function requireSameInputs(
  journal: Journal,
  { fingerprint, contextSize }: LanguageModel,
  evolver: LanguageModel | undefined,
  task: Task,
): void {
  const inputs = {
    ...{ model: fingerprint, contextSize, task: task.fingerprint },
    ...(evolver === undefined ? {} : { evolver: evolver.fingerprint }),
  };
  journal.record({ type: "inputs", key: "inputs", ...inputs });
  const recorded = journal.recall("inputs", "inputs");
  for (const [name, what] of [
    ["model", "model file"],
    ["evolver", "evolver"],
    ["contextSize", "context size"],
    ["task", "data or time limit"],
  ] as const) {
    if (recorded?.[name] === inputs[name]) continue;
    throw new LseError(
      `The run to resume was made with another ${what}`,
      "Resume it with what it was started with, or start a new run",
    );
  }
}

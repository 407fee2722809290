/** The methods of the paper's tables and those beyond, a row each: the only place that tells them apart. */
import type { Answer } from "../answer/answer.js";
import { deriveSeed, uniformStream } from "../lib/random.js";
import type { Task } from "../task.js";
import { ACE } from "./ace.js";
import { BootstrapWriter } from "./bootstrap.js";
import { EDITS, type EditKindName, type Edits, type EvolveConfig, type Method } from "./config.js";
import type { Memory } from "./edit-history.js";
import { EDIT_KINDS, type EditKind, editKindFor, REWRITE } from "./edit-kinds.js";
import { type EditWriter, LseWriter, type WriterParts } from "./edit-writer.js";
import { ExampleWriter } from "./example-writer.js";
import { gepaRound, reflectionMessages } from "./gepa.js";
import { chooseFromFrontier } from "./pareto.js";
import { referenceRound } from "./reference/round.js";
import type { NodeChoice, Run } from "./run.js";
import { rejectedInEpoch } from "./skillopt.js";
import { TextGradWriter } from "./textgrad.js";
import type { Selection, TreeNode } from "./tree.js";

/** What a method is made of. */
export interface MethodRow {
  /** Its name in tables, such as "UCB tree (c = 2)". */
  label(config: Pick<EvolveConfig, "ucbC">): string;
  /** Name of its choice of nodes, as tree.json has it. */
  readonly selection: Selection | "pareto" | "root";
  /** Chooses the node to edit. */
  readonly choose: NodeChoice;
  /** The earlier edits that its evolver is told of. */
  readonly remembers: Memory;
  /** What asks the evolver for edits. */
  writer(parts: WriterParts): EditWriter;
  /** Carries out one round, in the paper's order of steps. */
  playRound(run: Run, round: number): Promise<void>;
  /** Answers that one round asks for at most. */
  answersPerRound(config: RoundSizes): number;
  /** Whether the search is over after so many rounds. @param searchAnswers what the rounds of the paper would take */
  isOver(run: Run, rounds: number, searchAnswers: number): boolean;
  /** Most rounds that the answers of so many rounds of the paper can make. */
  roundsFor(rounds: number, config: RoundSizes): number;
  /** Whether a run has exactly `rounds` rounds, so that each can be counted down. */
  readonly hasFixedRounds: boolean;
  /** Whether there is a published order of steps for it (`schedule: "reference"`). */
  readonly hasReferenceOrder: boolean;
  /** The kind that its edits are of, where that is one of its own. */
  readonly kind: EditKind | null;
  /** The edits that it leaves a choice of; the first are its usual ones. */
  readonly edits: readonly [Edits, ...Edits[]];
  /** Whether there are grammars for its edits. */
  readonly canConstrainEdits: boolean;
  /** Whether what its evolver is shown can be chosen (`editContext`, `editReports`). */
  readonly canChooseContext: boolean;
}

type RoundSizes = Pick<EvolveConfig, "batch" | "holdout" | "samples">;

/** Answers of a round of the paper: a batch, and the holdout of the new node. */
export const answersOfPaperRound = ({ batch, holdout, samples }: RoundSizes): number =>
  batch + holdout * samples;

const bySelection =
  (selection: Selection): NodeChoice =>
  ({ tree, config }) =>
    tree.choose(selection, config.ucbC);

const fromFrontier: NodeChoice = (run, round) => {
  const draw = uniformStream(deriveSeed(run.config.seed, "pareto", round))();
  return run.tree.node(chooseFromFrontier(run.holdoutScores(), draw));
};

const ofTheNode: Memory = ({ parent }, { node }) => parent === node;

/** A method that plays the paper's rounds with the paper's edits. */
const paperLike = (label: MethodRow["label"], selection: Selection): MethodRow => ({
  label,
  selection,
  choose: bySelection(selection),
  remembers: ofTheNode,
  writer: (parts) => {
    const kind = editKindFor(parts.kind, parts.task);
    return kind === null ? new ExampleWriter(parts) : new LseWriter(parts, kind);
  },
  playRound: lseRound,
  answersPerRound: answersOfPaperRound,
  isOver: ({ config }, rounds) => rounds === config.rounds,
  roundsFor: (rounds) => rounds,
  hasFixedRounds: true,
  hasReferenceOrder: true,
  kind: null,
  edits: EDITS,
  canConstrainEdits: true,
  canChooseContext: true,
});

/** Edits of a kind that no other method has, by its own grammar where they are to keep to one. */
const ownKind = (kind: EditKind): Pick<MethodRow, "kind" | "writer"> => ({
  kind,
  writer: (parts) => {
    const { sampling } = parts;
    const { grammar } = kind;
    return new LseWriter(
      sampling.grammar === undefined ? parts : { ...parts, sampling: { ...sampling, grammar } },
      kind,
    );
  },
});

export const METHODS: { readonly [Name in Method]: MethodRow } = {
  ucb: paperLike(({ ucbC }) => `UCB tree (c = ${ucbC})`, "ucb"),
  "ucb-se": {
    ...paperLike(({ ucbC }) => `UCB tree by standard errors (c = ${ucbC})`, "ucb-se"),
    hasReferenceOrder: false,
  },
  best: paperLike(() => "best-first", "best"),
  chain: paperLike(() => "chain", "deepest"),
  pareto: {
    ...paperLike(() => "Pareto frontier", "best"),
    selection: "pareto",
    choose: fromFrontier,
    hasReferenceOrder: false,
  },
  textgrad: {
    ...paperLike(() => "TextGrad", "accepted"),
    writer: (parts) => new TextGradWriter(parts),
    edits: ["rewrite"],
    hasReferenceOrder: false,
    canConstrainEdits: false,
    canChooseContext: false,
  },
  gepa: {
    ...paperLike(() => "GEPA", "best"),
    selection: "pareto",
    choose: fromFrontier,
    ...ownKind({ ...REWRITE, messages: reflectionMessages }),
    edits: ["rewrite"],
    canChooseContext: false,
    playRound: gepaRound,
    // A round asks about its batch twice; only an edit that passes goes on to the holdout.
    answersPerRound: ({ batch, holdout, samples }) => 2 * batch + holdout * samples,
    isOver: ({ config, spent }, _, searchAnswers) =>
      spent.answers + METHODS.gepa.answersPerRound(config) > searchAnswers,
    roundsFor: (rounds, config) => Math.floor((rounds * answersOfPaperRound(config)) / (2 * config.batch)),
    hasFixedRounds: false,
    hasReferenceOrder: false,
  },
  skillopt: {
    // What is not strictly better than the best so far, the current version, is edited no further: its gate.
    ...paperLike(() => "SkillOpt", "accepted"),
    remembers: rejectedInEpoch,
    edits: ["delta"],
    hasReferenceOrder: false,
  },
  ace: {
    ...paperLike(() => "ACE", "deepest"),
    ...ownKind(ACE),
    playRound: everyRound,
    edits: ["delta"],
    canChooseContext: false,
    hasReferenceOrder: false,
  },
  bootstrap: {
    ...paperLike(() => "BootstrapFewShot with random search", "best"),
    selection: "root",
    choose: ({ tree }) => tree.root,
    writer: (parts) => new BootstrapWriter(parts),
    playRound: everyRound,
    edits: ["example"],
    hasReferenceOrder: false,
    canConstrainEdits: false,
    canChooseContext: false,
  },
};

/** A configuration with the kind of edits that its method has, where that leaves no choice. */
export function settled(config: EvolveConfig): EvolveConfig {
  const { edits } = METHODS[config.method];
  return edits.includes(config.edits) ? config : { ...config, edits: edits[0] };
}

/** What the evolver's answers mean that were asked for edits of a kind. */
export const editKindOf = (method: Method, kind: EditKindName, task: Pick<Task, "deltas">): EditKind =>
  METHODS[method].kind ?? editKindFor(kind, task) ?? REWRITE;

/** Why a search ended that nothing stopped, in words. */
export const endOf = ({ method, rounds }: Pick<EvolveConfig, "method" | "rounds">): string =>
  rounds === 0
    ? "nothing was to be edited"
    : METHODS[method].hasFixedRounds
      ? "all rounds were done"
      : `the answers of ${rounds} rounds were used`;

/** Answers that need not be asked for after a round without a usable edit: none where something else spends them. */
export const savedByFailure = ({ method, spendAll, holdout, samples }: EvolveConfig): number =>
  METHODS[method].hasFixedRounds && !spendAll ? holdout * samples : 0;

/** Carries out one round of a run, in the order of steps that its configuration names. */
export const playRound = (run: Run, round: number): Promise<void> =>
  run.config.schedule === "reference"
    ? referenceRound(run, round)
    : METHODS[run.config.method].playRound(run, round);

/** A round of the paper (algorithm 1): every usable edit becomes a node. */
async function lseRound(run: Run, round: number): Promise<void> {
  const parent = run.select(round);
  const batch = await run.answerBatch(parent, round);
  const isPerfect = batch.every(({ outcome }) => outcome.correct);
  if (isPerfect && EDIT_KINDS[run.kindOf(round)]?.needsFailures !== false) {
    run.recordGate(round, batch.length, null, false);
    return;
  }
  await editNode(run, parent, batch, round);
}

/** The same, but that an edit is asked for where nothing went wrong, too. */
async function everyRound(run: Run, round: number): Promise<void> {
  const parent = run.select(round);
  await editNode(run, parent, await run.answerBatch(parent, round), round);
}

async function editNode(run: Run, parent: TreeNode, batch: readonly Answer[], round: number): Promise<void> {
  run.review(parent, batch, round);
  const edit = await run.edit(parent, round, run.config.tries);
  if (edit !== null) await run.scoreNode(run.adopt(parent, edit, round));
}

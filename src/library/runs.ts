/** `lse/runs`: the parts that runs are made of, and what is done with finished ones. */
export {
  type Answer,
  type AnswerOptions,
  answer,
  answerSeeds,
  eachSample,
  scoreOf,
} from "../answer/answer.js";
export type { ReliabilityRow } from "../answer/reliability.js";
export {
  describeStrategy,
  PAPER_STRATEGY,
  type Strategy,
  strategySchema,
  WORKSPACE_STRATEGY,
} from "../answer/strategy.js";
export { type Asking, type StrategicTask, underStrategy } from "../answer/under-strategy.js";
export {
  type Comparison,
  compareRuns,
  type FinishedRun,
  type MethodDifference,
  type MethodScores,
} from "../evolve/compare.js";
export { METHOD_NAMES, type Method } from "../evolve/config.js";
export { type EditAttempt, type EditWriter, LseWriter } from "../evolve/edit-writer.js";
export type { EvolveOptions } from "../evolve/evolve.js";
export { type JudgedEdit, judgeEdit } from "../evolve/judge-edit.js";
export { type CrossValidation, crossValidate, type Fold } from "../evolve/kfold.js";
export { METHODS, type MethodRow } from "../evolve/methods.js";
export { type Budget, planRun, type RunPlan } from "../evolve/plan.js";
export { QUIRKS, type Quirk } from "../evolve/reference/quirks.js";
export { type NodeRecord, type Prices, Run } from "../evolve/run.js";
export { type Split, splitProblems } from "../evolve/split.js";
export { TextGradWriter } from "../evolve/textgrad.js";
export { TransferTask } from "../evolve/transfer-task.js";
export { EvolutionTree, type Selection, type TreeNode } from "../evolve/tree.js";
export { treeFromJson, treeToJson } from "../evolve/tree-file.js";
export type { Journal } from "../journal/journal.js";
export { JournalFile, SavedJournal } from "../journal/journal-file.js";
export { PaidCompletions } from "../journal/paid-completions.js";
export { VIEWS } from "../journal/run-query.js";
export { PythonRandom } from "../lib/python-random.js";
export { bootstrapMean, type Interval } from "../lib/statistics.js";
export { type RunSource, runData } from "../report/run-data.js";
export { reportServer } from "../report/serve.js";
export type { ReportData, RunData } from "../report/types.js";
export { type CollectHooks, type CollectOptions, collect } from "../runs/collect.js";
export { overrideConfig, type PartialConfig, runConfigSchema } from "../runs/config.js";
export { evalConfig, evalWorkspaceConfig } from "../runs/eval.js";
export { openModels, type RunModels } from "../runs/open-models.js";
export { type DryRun, dryRun } from "../runs/run-budget.js";
export type { RunHooks, RunInputs } from "../runs/run-in-folder.js";
export { savedRuns } from "../runs/saved-runs.js";
export { type TaskConfig, TaskPool } from "../runs/tasks.js";
export { type WorkspaceHooks, type WorkspaceOutcome, workspaceConfig } from "../runs/workspace.js";
export { measureManual } from "../runs/workspace-worth.js";
export type {
  Brief,
  DeltaForm,
  ProblemText,
  PromptParts,
  Reading,
  Reasoning,
  ValidationReport,
  WorkedCase,
} from "../task.js";
export type { GivenTask } from "../task-file/checked-task.js";
export { promptProblems } from "../task-file/prompt-problems.js";
export { type Answered, ask, type FeedbackGiven } from "../workspace/ask.js";
export type { Initialised, InitOptions } from "../workspace/init.js";
export { type Settled, settle } from "../workspace/settle.js";
export { WorkspaceTask, type WorkspaceTaskOptions } from "../workspace/task.js";
export { measureWorth, type RuleWorth, type Worth } from "../workspace/worth.js";

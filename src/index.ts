/** The library: everything the command line does, as functions. */
export {
  type BirdData,
  type BirdQuestion,
  databasesOf,
  openBird,
  questionsOf,
} from "./bird/dataset.js";
export { copyOf } from "./bird/duckdb/copy.js";
export { DuckDbDatabase, DuckDbError } from "./bird/duckdb/database.js";
export { compareDialects, type Dialects } from "./bird/duckdb/dialects.js";
export { type Evaluation, evaluatePredictions, goldAsPredictions, type Score } from "./bird/evaluate.js";
export { ExecutionAccuracy, type Verdict } from "./bird/execution-accuracy.js";
export { defectOf, KNOWN_DEFECTS, type KnownDefect } from "./bird/known-defects.js";
export { formatPredictions, type Prediction, readPredictions } from "./bird/predictions.js";
export { rVes, speedReward } from "./bird/r-ves.js";
export { describeSchema } from "./bird/schema.js";
export { softF1 } from "./bird/soft-f1.js";
export {
  DEFAULT_SQL_LIMITS,
  type SqlEngine,
  SqlExecutor,
  type SqlFailure,
  type SqlLimits,
  type SqlResult,
  type SqlRows,
  sameRows,
} from "./bird/sql/executor.js";
export { BirdTask, type BirdTaskOptions } from "./bird/task.js";
export { carryOut, type DownloadPlan, planDownload } from "./download/download.js";
export { hubOf, listRepository } from "./download/hub.js";
export { readDataManifest, readModelManifest } from "./download/manifest.js";
export { LseError } from "./errors.js";
export {
  type Comparison,
  compareRuns,
  type FinishedRun,
  type MethodDifference,
  type MethodScores,
} from "./evolve/compare.js";
export {
  type Budget,
  budgetOf,
  type EvolveConfig,
  evolveConfigSchema,
  METHODS,
  type Method,
} from "./evolve/config.js";
export { type Evolution, type EvolveOptions, evolve } from "./evolve/evolve.js";
export { type EditAttempt, type Evolver, LseEvolver } from "./evolve/evolver.js";
export { type CrossValidation, crossValidate, type Fold } from "./evolve/kfold.js";
export { QUIRKS, type Quirk } from "./evolve/reference/quirks.js";
export type { NodeRecord, Prices } from "./evolve/run.js";
export { type Split, splitProblems } from "./evolve/split.js";
export { TextGradEvolver } from "./evolve/textgrad.js";
export { TransferTask } from "./evolve/transfer-task.js";
export { EvolutionTree, type Selection, type TreeNode } from "./evolve/tree.js";
export { treeFromJson, treeToJson } from "./evolve/tree-file.js";
export type { QwenFamily, QwenShape } from "./gguf/qwen-layout.js";
export { NAMED_SHAPES, writeRandomLora, writeRandomModel } from "./gguf/random-model.js";
export { type ReadModel, readModel } from "./gguf/read-model.js";
export {
  type LoraFileOptions,
  type TrainedModelOptions,
  writeLora,
  writeTrainedModel,
} from "./gguf/trained-model.js";
export { type GgufMetadata, type GgufTensor, writeGguf } from "./gguf/writer.js";
export { EventFile, EventLog } from "./journal/event-log.js";
export { type Journal, MemoryJournal, type RunEvent } from "./journal/journal.js";
export { RunFolder } from "./journal/run-folder.js";
export { RunQuery, VIEWS } from "./journal/run-query.js";
export { extractTag } from "./lib/extract.js";
export { PythonRandom } from "./lib/python-random.js";
export { exportToBird } from "./mini/bird-layout.js";
export type { Convention, MiniDatabase } from "./mini/database.js";
export { actDemonstrations, type Demonstration, evolveDemonstrations } from "./mini/demonstrations.js";
export { perfectEdit, SLOPPINESS, sloppyEdit } from "./mini/edits.js";
export { makeDatabase } from "./mini/generator.js";
export { type MiniProblem, makeProblems } from "./mini/problems.js";
export { parseRules, type Rule, rulesText } from "./mini/rules.js";
export { type Address, parseAddress } from "./mini/splits.js";
export { simulatedAnswer } from "./mini/sql.js";
export { MiniGrader, MiniTask } from "./mini/task.js";
export { miniTokenizer } from "./mini/tokenizer.js";
export { convertMmluPro, convertSuperGpqa } from "./mmlu/convert.js";
export { type MmluQuestion, type MmluSubject, readSubject } from "./mmlu/dataset.js";
export { subjectsIn } from "./mmlu/folders.js";
export type { GoldRules } from "./mmlu/gold.js";
export { saveSubjects } from "./mmlu/save.js";
export { MmluTask, type MmluTaskOptions } from "./mmlu/task.js";
export type { ChatMessage } from "./model.js";
export {
  type Completion,
  type GenerateRequest,
  type LanguageModel,
  PAPER_SAMPLING,
  type Sampling,
  type Usage,
} from "./model.js";
export { exportOnnx } from "./onnx-export/export.js";
export { reportHtml } from "./report/html.js";
export { type RunSource, runData } from "./report/run-data.js";
export type { ReportData, RunData } from "./report/types.js";
export { evolveInFolder } from "./runs/run-in-folder.js";
export { AdaptedModel } from "./runtime/adapted-model.js";
export { CachedModel } from "./runtime/cached-model.js";
export { GPUS, type GpuName, type GpuTime, gpuTime } from "./runtime/gpu-time.js";
export type { LlamaOptions } from "./runtime/llama/load.js";
export { LlamaModel, NodeLlamaCppModel, openLlama } from "./runtime/llama/open.js";
export { OnnxModel, type OnnxOptions } from "./runtime/onnx/onnx-model.js";
export { type Price, Purse } from "./runtime/price.js";
export { RecordedModel } from "./runtime/recorded-model.js";
export { openRemote, type RemoteSettings } from "./runtime/remote/open.js";
export { type Seat, together } from "./runtime/together.js";
export { UsageMeter } from "./runtime/usage-meter.js";
export type { Outcome, ProblemText, Task, ValidationReport } from "./task.js";
export type { GivenTask } from "./task-file/checked-task.js";
export { promptProblems } from "./task-file/prompt-problems.js";
export { openTaskFile, type TaskFactory } from "./task-file/task-file.js";
export { type Continuation, plainRow, type Row } from "./train/batch.js";
export type { Start, StepResult, TrainerOptions } from "./train/engine.js";
export { estimateStep, type StepEstimate } from "./train/estimate.js";
export { initialParameters } from "./train/model/initial.js";
export { addLookupHeads } from "./train/model/lookup-heads.js";
export type { Loss } from "./train/model/qwen-graph.js";
export type { LoraSpec, ModelSpec, Parameters } from "./train/model/spec.js";
export { adamW, muonAdamW, type ParameterGroup } from "./train/optimizer/groups.js";
export { CONSTANT, type Schedule } from "./train/optimizer/schedule.js";
export { type RewardServiceOptions, rewardService } from "./train/reward-service.js";
export { advantages, type Estimator, type ScoredEdit } from "./train/rl/advantages.js";
export { type EditState, editStates, type SavedRun } from "./train/rl/edit-states.js";
export { type LearnOptions, type LearnPoint, learn } from "./train/rl/learn.js";
export { type Rollout, type RolloutPlan, rollOut } from "./train/rl/rollouts.js";
export type { Provider } from "./train/session.js";
export { Trainer } from "./train/trainer.js";
export { exportVerl } from "./train/verl.js";
export { type Answered, ask, type FeedbackGiven, giveFeedback } from "./workspace/ask.js";
export { OwnFolder } from "./workspace/folder.js";
export { type Initialised, type InitOptions, initFolder } from "./workspace/init.js";
export { type Settled, settle } from "./workspace/settle.js";
export { OwnTask, type OwnTaskOptions } from "./workspace/task.js";
export { measureWorth, type RuleWorth, type Worth } from "./workspace/worth.js";

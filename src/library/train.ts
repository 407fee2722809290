/** `lse/train`: training the evolver, from the whole loop down to gradients. */

export { exportGguf, exportPeft, importPeft } from "../runs/training/adapter-files.js";
export { checkTrainConfig, type TrainConfig } from "../runs/training/config.js";
export { planTraining, type TrainPlan } from "../runs/training/plan.js";
export { resumePretraining, startPretraining } from "../runs/training/pretrain.js";
export { checkPretrainConfig, type PretrainConfig } from "../runs/training/pretrain-config.js";
export { checkScorer, trainStates } from "../runs/training/states.js";
export { resumeTraining, startTraining, type TrainHooks, type TrainResult } from "../runs/training/train.js";
export { type Continuation, plainRow, type Row } from "../train/batch.js";
export type { Start, StepResult, TrainerOptions } from "../train/engine.js";
export { estimateStep, type StepEstimate } from "../train/estimate.js";
export { initialParameters } from "../train/model/initial.js";
export { addLookupHeads } from "../train/model/lookup-heads.js";
export type { Loss } from "../train/model/qwen-graph.js";
export type { LoraSpec, ModelSpec, Parameters } from "../train/model/spec.js";
export { adamW, muonAdamW, type ParameterGroup } from "../train/optimizer/groups.js";
export { CONSTANT, type Schedule } from "../train/optimizer/schedule.js";
export { type RewardServiceOptions, rewardService } from "../train/reward-service.js";
export { advantages, type Estimator, type ScoredEdit } from "../train/rl/advantages.js";
export { type EditState, editStates, type SavedRun } from "../train/rl/edit-states.js";
export { type LearnOptions, type LearnPoint, learn } from "../train/rl/learn.js";
export { type Rollout, type RolloutPlan, rollOut, scoreEdits } from "../train/rl/rollouts.js";
export type { Provider } from "../train/session.js";
export { Trainer } from "../train/trainer.js";
export { exportVerl } from "../train/verl.js";

/** Texts about trainings: what one takes, and what each update brought. */
import type { TrainConfig } from "../runs/training/config.js";
import { SHARE_OF_PRODUCTS, type TrainPlan } from "../runs/training/plan.js";
import type { TrainHooks } from "../runs/training/train.js";
import type { UpdatePoint } from "../train/rl/learn.js";
import { count, formatSeconds, signed } from "./numbers.js";
import type { Progress } from "./progress.js";

/** Shows a training as it goes on. */
export const trainingHooks = (progress: Progress, updates: number): TrainHooks => ({
  onStart: (done) => progress.skip(done),
  onUpdate: (point) => {
    progress.tick();
    progress.note(`reward ${signed(point.reward)}`);
    progress.say(updateText(point, updates));
  },
  onValidation: ({ step, reward, rewardError, invalid }) =>
    progress.say(
      `update ${step}: an edit of validation trees brings ${signed(reward)} ± ${(1.96 * rewardError).toFixed(3)}, ` +
        `${(100 * invalid).toFixed(0)} % invalid`,
    ),
});

/** What an update brought, in one line. */
function updateText(
  { step, reward, rewardError, invalid, editTokens, seconds }: UpdatePoint,
  updates: number,
) {
  const { edits, answers, gradient, rest } = seconds;
  const parts = [edits, answers, gradient, rest].map((part) => part.toFixed(1)).join(" + ");
  return (
    `update ${step} of ${updates}: reward ${signed(reward)} ± ${(1.96 * rewardError).toFixed(3)}, ` +
    `${(100 * invalid).toFixed(0)} % invalid, ${editTokens.toFixed(0)} tokens an edit; ` +
    `${parts} s (edits, answers, gradient, rest), ${gib(peakBytes() / 2 ** 30)} of memory at most so far`
  );
}

/** What a training takes, before anything is loaded. */
export function planText(plan: TrainPlan, config: TrainConfig): string {
  const { model, memory, gradient, edits, answers, positions } = plan;
  const fits = memory.total <= memory.free ? "it fits" : "it does not fit";
  return [
    `${config.model}: ${millions(model.parameters)} parameters, ${millions(model.trained)} ${config.lora === null ? "of them" : "of an adapter"} trained` +
      (model.from === "file" ? "" : " (the file is not here yet; published sizes)"),
    `${config.updates} updates of ${config.nodes} nodes × ${config.rollouts} edits: ${edits} edits` +
      (answers === null
        ? `; no finished runs in ${config.trees} yet, so the answers cannot be counted`
        : `, scored by at most ${answers} answers`),
    `memory for nodes of up to ${positions} tokens, computed ${config.recompute ? "layer by layer" : "as one graph"}: ` +
      `weights ${gib(memory.weights)}, optimizer ${gib(memory.optimizer)}, activations ${gib(memory.activations)}, ` +
      `engine and program ${gib(memory.engine)}; ${gib(memory.total)} in all, ${gib(memory.free)} are free here: ${fits}`,
    `gradient: at most ${gradient.petaflop.toPrecision(3)} PFLOP and ${formatSeconds(gradient.seconds)} an update, ` +
      `${hoursText(gradient.hours)} in all at ${(SHARE_OF_PRODUCTS * gradient.speed).toFixed(0)} GFLOP/s; edits and answers take time beside that`,
  ].join("\n");
}

/** Of this process, in memory at one time. */
const peakBytes = () => 1024 * process.resourceUsage().maxRSS;
const gib = (value: number) => `${value.toFixed(1)} GiB`;
const millions = (value: number) => `${(value / 1e6).toFixed(value < 1e7 ? 2 : 0)} million`;
const hoursText = (hours: number) =>
  hours < 1 ? `${Math.ceil(60 * hours)} minutes` : `${count(Math.ceil(hours))} hours`;

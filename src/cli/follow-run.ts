/** What `lse evolve` prints of a run, in a folder of its own or in a workspace. */

import { printableLine } from "../lib/printable.js";
import type { RunConfig } from "../runs/config.js";
import { dryRun } from "../runs/run-budget.js";
import type { RunHooks, RunOutcome } from "../runs/run-in-folder.js";
import type { GpuName } from "../runtime/gpu-time.js";
import { EvolveView } from "../terminal/evolve-view.js";
import { untilInterrupted } from "../terminal/interrupt.js";
import { budgetText, dryRunText, hoursOf } from "../terminal/plan-text.js";
import { resultDocument, resultText } from "../terminal/result-text.js";

/** Options that are no fields of the configuration. */
export interface EvolveFlags {
  readonly config?: string;
  readonly from?: string;
  readonly out?: string;
  readonly resume?: string;
  readonly maxCost?: number;
  readonly dryRun?: true;
  readonly gpu?: GpuName;
  readonly json?: true;
  readonly schema?: true;
}

/** Prints what a run would do, without its model. */
export async function printDryRun(config: RunConfig, { gpu, json }: EvolveFlags): Promise<void> {
  const plan = await dryRun(config, gpu);
  if (!json) return console.log(dryRunText(plan));
  const { budget, costAtMost: cost_at_most, time } = plan;
  console.log(JSON.stringify({ config, budget, cost_at_most, ...(time && { hours: hoursOf(time) }) }));
}

/**
 * Shows a run as it goes on; Ctrl-C ends it cleanly.
 * @param command that goes on with it
 * @returns null when it was interrupted
 */
export async function followed<T>(
  command: string,
  carryOut: (hooks: RunHooks) => Promise<T>,
): Promise<T | null> {
  const work = async (signal: AbortSignal, arm: () => void) => {
    let view: EvolveView | undefined;
    const close = () => {
      view?.[Symbol.dispose]();
      view = undefined;
    };
    try {
      return await carryOut({
        signal,
        onStart: (start) => {
          arm();
          console.error(printableLine(`${start.task.id}: ${budgetText(start.plan.budget, start.config)}`));
          view = new EvolveView(start);
        },
        onEvent: (event) => {
          view?.follow(event);
          // What is done after the end of a run prints lines of its own.
          if (event.type === "done") close();
        },
      });
    } finally {
      close();
    }
  };
  return await untilInterrupted(`Continue with \`${command}\``, work, "armed");
}

/** @param more what a workspace adds to the document */
export function printOutcome(outcome: RunOutcome, json: true | undefined, more: object = {}): void {
  console.log(json ? JSON.stringify({ ...resultDocument(outcome), ...more }) : resultText(outcome));
}

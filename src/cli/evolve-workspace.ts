/** `lse evolve FOLDER`: the manual of a workspace. */
import { LseError } from "../errors.js";
import type { PartialConfig } from "../runs/config.js";
import { evolveWorkspace, type WorkspaceStep, workspaceConfig } from "../runs/workspace.js";
import { Progress } from "../terminal/progress.js";
import { settledText } from "../terminal/workspace-text.js";
import { Workspace } from "../workspace/folder.js";
import { isDone } from "../workspace/settle.js";
import { type EvolveFlags, followed, printDryRun, printOutcome } from "./follow-run.js";

export async function evolveInWorkspace(
  path: string,
  fields: PartialConfig,
  options: EvolveFlags,
): Promise<void> {
  const refused = (["config", "from", "out", "resume"] as const).find((name) => options[name] !== undefined);
  if (refused !== undefined)
    throw new LseError(
      `--${refused} does not go with a workspace`,
      "Leave it out: the folder says what is evolved, and keeps the runs",
    );
  const folder = Workspace.open(path);
  using steps = new Steps(folder);
  const onStep = (step: WorkspaceStep) => steps.show(step);
  if (options.dryRun) {
    const last = folder.runs().at(-1);
    if (last !== undefined && !isDone(folder, last))
      throw new LseError(`${folder.runPath(last)} is not over`, `Let lse evolve ${path} finish it first`);
    return await printDryRun(await workspaceConfig(path, fields, { onStep }), options);
  }
  const done = await followed(`lse evolve ${path}`, (hooks) =>
    evolveWorkspace(path, fields, { ...hooks, onStep }),
  );
  if (done === null) return;
  printOutcome(done.outcome, options.json, { manual: done.settled });
  if (!options.json) console.log(`\n${steps.settled}`);
}

/** Says what happens around the run. */
class Steps implements Disposable {
  /** What came of the run, in one line. */
  settled = "";
  #checked: Progress | undefined;

  constructor(private readonly folder: Workspace) {}

  show(step: WorkspaceStep): void {
    switch (step.kind) {
      case "resumed":
        console.error(`${step.runPath} goes on.`);
        break;
      case "checking":
        this.#checked = new Progress("questions checked", step.questions);
        break;
      case "checked":
        this.#checked?.tick();
        break;
      case "divided": {
        this[Symbol.dispose]();
        const { pool, holdout, test } = step.parts;
        console.error(
          `${pool + holdout + test} questions: ${pool} to learn from, ${holdout} for selection, ${test} for the test.`,
        );
        break;
      }
      case "model kept":
        console.error(`${this.folder.configPath} keeps the model for the next time.`);
        break;
      case "settled":
        this.settled = settledText(this.folder, step.run, step.settled);
        // A run of before that a kill kept from being settled: the new one begins now.
        if (step.isEarlier) console.error(this.settled);
    }
  }

  [Symbol.dispose](): void {
    this.#checked?.[Symbol.dispose]();
    this.#checked = undefined;
  }
}

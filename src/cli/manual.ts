/** `lse manual`: the manual of a workspace, its history, and what each rule is worth. */
import { Command } from "@commander-js/extra-typings";
import { LseError } from "../errors.js";
import { printable } from "../lib/printable.js";
import { measureManual } from "../runs/workspace-worth.js";
import { untilInterrupted } from "../terminal/interrupt.js";
import { Progress } from "../terminal/progress.js";
import { versionText, worthText } from "../terminal/workspace-text.js";
import { Workspace } from "../workspace/folder.js";
import { formOf } from "../workspace/forms.js";
import { historyOf } from "../workspace/history.js";

export function manualCommand() {
  return new Command("manual")
    .description("print your own database's manual, its history, and what each rule is worth")
    .argument("<folder>", "a folder of lse init")
    .option("--history", "the runs, and what each changed")
    .option("--worth", "measure each rule by leaving it out; takes the model")
    .option("--json", "print one JSON document")
    .action(async (path, { history, worth, json }) => {
      const folder = Workspace.open(path);
      const { prompts, engine } = folder.config;
      const form = formOf(prompts, engine);
      const manual = folder.manual();
      if (history === true) {
        const versions = historyOf(folder);
        console.log(
          json
            ? JSON.stringify(versions)
            : versions.map((version) => versionText(version, form)).join("\n\n"),
        );
      } else if (worth === true) await printWorth(folder, json === true);
      else if (json) console.log(JSON.stringify({ manual, seed: form.seedInstructions }));
      else if (manual !== null) console.log(printable(manual));
      else
        throw new LseError(
          `${folder.manualPath}: there is no manual yet`,
          `Make one with lse evolve ${path}`,
        );
    });
}

async function printWorth(folder: Workspace, json: boolean): Promise<void> {
  let progress: Progress | undefined;
  const work = async (signal: AbortSignal) => {
    try {
      return await measureManual(folder, {
        signal,
        onStart: ({ rules, problems, answers }) => {
          console.error(`${rules} rules on the ${problems} selection questions: ${answers} answers`);
          progress = new Progress("answers", answers);
        },
        onAnswer: () => progress?.tick(),
      });
    } finally {
      progress?.complete();
      progress?.[Symbol.dispose]();
    }
  };
  const worth = await untilInterrupted(`Continue with \`lse manual ${folder.path} --worth\``, work);
  if (worth !== null) console.log(json ? JSON.stringify(worth) : worthText(worth));
}

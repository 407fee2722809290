import { join } from "node:path";
import { styleText } from "node:util";
import { Command } from "@commander-js/extra-typings";
import { LseError } from "../errors.js";
import { splitProblems } from "../evolve/split.js";
import { EventLog } from "../journal/event-log.js";
import { PaidCompletions } from "../journal/paid-completions.js";
import { RunFolder } from "../journal/run-folder.js";
import { readJson } from "../lib/json-file.js";
import type { Interval } from "../lib/statistics.js";
import { openModel, resolveConfig } from "../runs/config.js";
import { openTask } from "../runs/tasks.js";
import { CachedModel } from "../runtime/cached-model.js";
import { untilInterrupted } from "../terminal/interrupt.js";
import { Progress } from "../terminal/progress.js";
import { diffText, printable } from "../terminal/render-tree.js";
import { textTable } from "../terminal/text-table.js";
import { OwnFolder } from "../workspace/folder.js";
import { formOf, type PromptForm } from "../workspace/forms.js";
import { historyOf, type Version } from "../workspace/history.js";
import { MEASURED } from "../workspace/measure.js";
import { isDone } from "../workspace/settle.js";
import { answersFor, measureWorth, type Worth } from "../workspace/worth.js";

export function manualCommand() {
  return new Command("manual")
    .description("print your own database's manual, its history, and what each rule is worth")
    .argument("<folder>", "a folder of lse init")
    .option("--history", "the runs, and what each changed")
    .option("--worth", "measure each rule by leaving it out; takes the model")
    .option("--json", "print one JSON document")
    .action(async (path, { history, worth, json }) => {
      const folder = OwnFolder.open(path);
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
      } else if (worth === true) await printWorth(folder, form, manual, json === true);
      else if (json) console.log(JSON.stringify({ manual, seed: form.seedInstructions }));
      else if (manual !== null) console.log(printable(manual));
      else
        throw new LseError(
          `${folder.manualPath}: there is no manual yet`,
          `Make one with lse evolve ${path}`,
        );
    });
}

function versionText({ title, before, after, settled }: Version, form: PromptForm): string {
  const lines = [styleText("bold", title)];
  if (settled !== null) {
    const { questions, holdout, start, best, test, gain, outcome } = settled;
    const what = {
      taken: "taken",
      kept: "nothing was better",
      edited: "not taken: the manual was edited meanwhile",
    };
    lines.push(
      `${questions} questions; ${start.toFixed(3)} → ${best.toFixed(3)} on the ${holdout} that choose: ${what[outcome]}`,
    );
    if (test !== null)
      lines.push(
        `${intervalText(test)} on the ${test.problems} of the test${gain === null ? "" : `, a gain of ${intervalText(gain)}`}`,
      );
  }
  const inLines = (text: string) => {
    const rules = form.isOneLine ? form.rules(text).map((rule) => rule.text) : [];
    return rules.length === 0 ? text : rules.join("\n");
  };
  if (before !== after) lines.push(diffText(inLines(before), inLines(after)));
  return lines.join("\n");
}

async function printWorth(
  folder: OwnFolder,
  form: PromptForm,
  manual: string | null,
  json: boolean,
): Promise<void> {
  const last = folder.runs().findLast((run) => isDone(folder, run));
  if (manual === null || last === undefined)
    throw new LseError(
      `${folder.path}: there is no manual to measure yet`,
      `Make one with lse evolve ${folder.path}`,
    );
  const home = RunFolder.open(folder.runPath(last));
  const config = resolveConfig(readJson(home.configPath), home.configPath);
  await using task = await openTask(config);
  const { holdout } = splitProblems(task, config.evolve);
  const rules = form.rules(manual);
  const answers = answersFor(rules.length, holdout.length, config.evolve.samples);
  console.error(`${rules.length} rules on the ${holdout.length} questions that choose: ${answers} answers`);
  const { model } = await openModel(config, task);
  await using policy = new CachedModel(model, new PaidCompletions(folder.runsPath));
  const worth = await untilInterrupted(
    `Continue with \`lse manual ${folder.path} --worth\``,
    async (signal) => {
      using journal = new EventLog(join(home.path, MEASURED));
      using progress = new Progress("answers", answers);
      journal.onEvent = ({ type }) => type === "answer" && progress.tick();
      const measured = await measureWorth(manual, rules, holdout, {
        ...{ task, model: new CachedModel(policy, journal), config: config.evolve, journal, signal },
      });
      progress.complete();
      return measured;
    },
  );
  if (worth !== null) console.log(json ? JSON.stringify(worth) : worthText(worth));
}

function worthText({ score, problems, rules }: Worth): string {
  const signed = (value: number) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(3)}`;
  const rows = rules.map(({ rule, mean, low, high }) => [
    signed(mean),
    `[${signed(low)}, ${signed(high)}]`,
    printable(rule.replace(/\s+/g, " ")),
  ]);
  return [
    textTable([["worth", "95 %", "rule"], ...rows]),
    "",
    `How much the score of ${intervalText(score)} on ${problems} questions falls without the rule. Rules that do the same hide each other.`,
  ].join("\n");
}

const intervalText = ({ mean, low, high }: Interval) =>
  `${mean.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}]`;

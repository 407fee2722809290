import { Command } from "@commander-js/extra-typings";
import { readJson } from "../lib/json-file.js";
import type { RunConfig } from "../runs/config.js";
import { openTask, taskConfigOf } from "../runs/tasks.js";
import { promptProblems } from "../task-file/prompt-problems.js";
import { plural } from "../terminal/numbers.js";
import { Progress } from "../terminal/progress.js";
import { taskOption, taskOptionValues, timeoutOption } from "./options.js";

export function validateCommand() {
  return new Command("validate")
    .description("check a task: its gold answers through its own grader, and what its prompts are made of")
    .argument("[folder]", "a folder of lse init: your own database")
    .option("--config <file>", "a config.json whose task is checked; other options override it")
    .addOption(taskOption())
    .option("--task-option <name=value>", "of a task's own file, as often as wanted", taskOptionValues)
    .option("--data <path>", "as in lse evolve")
    .option("--db <name>", "which of the databases, or subjects")
    .option(timeoutOption.flags, `${timeoutOption.description} (30)`, timeoutOption.parse)
    .option("--cache <folder>", "where gold results are kept (your cache folder)")
    .option("--json", "print one JSON document")
    .action(async (folder, { config, task: name, taskOption: options, json, ...rest }) => {
      const own = folder === undefined ? {} : { name: "own", data: folder };
      const base = config === undefined ? {} : ((readJson(config) as Partial<RunConfig>).task ?? {});
      const settings = taskConfigOf(
        { ...base, ...own },
        { task: name, options, ...rest },
        config ?? "the command line",
      );
      await using task = await openTask({ task: settings });
      using progress = new Progress("problems", task.problemIds.length + (task.testIds?.length ?? 0));
      const { total, passed, failures } = await task.validate(() => progress.tick());
      // The tasks that come along have tests of their own for this, and one takes instructions of one form only.
      const prompts = settings.name === "module" ? promptProblems(task) : [];
      if (json) console.log(JSON.stringify({ task: task.id, total, passed, failures, prompts }));
      else {
        console.log(`${task.id}: the gold answers of ${passed} of ${plural(total, "problem")} score 1`);
        for (const { problem, error } of failures) {
          const question = task.describe?.(problem).question ?? "";
          console.log(`${problem}${question === "" ? "" : ` (${question})`}: ${error}`);
        }
        for (const problem of prompts) console.log(problem);
      }
      if (passed < total || prompts.length > 0) process.exitCode = 1;
    });
}

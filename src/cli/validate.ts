/** `lse validate`: whether a task's gold answers are right by its own grader, and its prompts complete. */
import { Command } from "@commander-js/extra-typings";
import { readJsonObject } from "../lib/json-file.js";
import { printableLine } from "../lib/printable.js";
import { overrideConfig, type PartialConfig } from "../runs/config.js";
import { leaksIn } from "../runs/leaks.js";
import { openTask, taskConfigOf } from "../runs/tasks.js";
import { promptProblems } from "../task-file/prompt-problems.js";
import { changingText } from "../terminal/changing-text.js";
import { count, plural } from "../terminal/numbers.js";
import { Progress } from "../terminal/progress.js";
import { Unfinished } from "../terminal/unfinished.js";
import { fieldsOf } from "./evolve-options.js";
import { taskName, taskOptionValues, timeoutOption } from "./options.js";

export function validateCommand() {
  return new Command("validate")
    .description("check a task: its gold answers by its own grader, and its prompts")
    .argument("[folder]", "a folder of lse init: your own database")
    .option("--config <file>", "a config.json whose task is checked; other options override it")
    .option("--task <name>", "bird, mini, mmlu, or the path of a task's own file (bird)", taskName)
    .option("--task-option <name=value>", "an option of a task's own file; may be repeated", taskOptionValues)
    .option("--data <path>", "as in lse evolve")
    .option("--db <name>", "which of the databases, or subjects")
    .option(timeoutOption.flags, `${timeoutOption.description} (30)`, timeoutOption.parse)
    .option("--cache <folder>", "where gold results are kept (your cache folder)")
    .option("--run <folder>", "check a run instead: whether its models were shown problems that score them")
    .option("--json", "print one JSON document")
    .action(async (folder, options) => {
      const { config: file, json, run } = options;
      if (run !== undefined) return await checkRun(run, json);
      const base = file === undefined ? {} : (readJsonObject(file) as PartialConfig);
      const kind = folder === undefined ? { name: "bird" } : { name: "own", data: folder };
      // A folder is what is meant, whatever the file says.
      const named = overrideConfig({ task: kind }, folder === undefined ? { task: base.task ?? {} } : {});
      const { task: fields } = overrideConfig(named, { task: fieldsOf(options).task ?? {} });
      const settings = taskConfigOf(fields ?? {}, file ?? "the command line");
      await using task = await openTask(settings);
      using progress = new Progress("problems", task.problemIds.length + (task.testIds?.length ?? 0));
      using unfinished = new Unfinished(progress, [...task.problemIds, ...(task.testIds ?? [])]);
      const { total, passed, failures, changing } = await task.validate((problem) => {
        progress.tick();
        unfinished.end(problem);
      });
      // The tasks that come along have tests of their own for this, and one takes instructions of one form only.
      const prompts = settings.name === "module" ? promptProblems(task) : [];
      if (json) console.log(JSON.stringify({ task: task.id, total, passed, failures, prompts, changing }));
      else {
        const share = passed === total ? `all ${count(total)}` : `${count(passed)} of ${count(total)}`;
        const what =
          settings.name === "own" ? "questions: the SQL runs" : "gold answers pass the task's own grader";
        console.log(printableLine(`${task.id}: ${share} ${what}`));
        for (const { problem, error } of failures) {
          const question = task.describe?.(problem).question ?? "";
          console.log(printableLine(`${problem}${question === "" ? "" : ` (${question})`}: ${error}`));
        }
        for (const { problem, parts } of changing ?? []) console.log(changingText(problem, parts));
        for (const problem of prompts) console.log(printableLine(problem));
      }
      if (passed < total || prompts.length > 0) process.exitCode = 1;
    });
}

async function checkRun(path: string, json: true | undefined): Promise<void> {
  const report = await leaksIn(path);
  const { nodes, answers, leaks } = report;
  if (json) console.log(JSON.stringify(report));
  else if (leaks.length === 0)
    console.log(
      `${plural(nodes, "manual")} and ${plural(answers, "answer")}: no problem of holdout or test, and no twin of one, was shown`,
    );
  else for (const leak of leaks) console.log(printableLine(leak));
  if (leaks.length > 0) process.exitCode = 1;
}

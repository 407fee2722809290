/** Whether a run has shown its models what they are scored by: problems of holdout and test, or twins of these. */
import { existsSync } from "node:fs";
import { parseManual } from "../evolve/manual.js";
import { splitProblems } from "../evolve/split.js";
import { treeFromJson } from "../evolve/tree-file.js";
import { SavedJournal } from "../journal/journal-file.js";
import { RunFolder } from "../journal/run-folder.js";
import type { PromptParts, Task } from "../task.js";
import { resolveConfig } from "./config.js";
import { openTask } from "./tasks.js";

/** What was looked at, and what of it gives scored problems away. */
export interface LeakReport {
  readonly nodes: number;
  readonly answers: number;
  /** A line each. */
  readonly leaks: readonly string[];
}

/**
 * Looks at the instructions of all nodes (their examples, and rules that quote a single problem) and at the solved problems
 * that prompts showed.
 * @throws LseError for a folder without a run, and for a task that cannot be opened
 */
export async function leaksIn(path: string): Promise<LeakReport> {
  const folder = RunFolder.open(path);
  const { task: about, evolve } = resolveConfig(folder.readConfig(), folder.configPath);
  await using task = await openTask(about);
  const { holdout, test } = splitProblems(task, evolve);
  const scored = new Scored(task, [...holdout, ...test]);
  const nodes = existsSync(folder.treePath)
    ? treeFromJson(folder.readTree(), folder.treePath).tree.nodes
    : [];
  const answers = [...new SavedJournal(folder.eventsPath).all("answer")];
  const inManuals = nodes.flatMap(({ id, instructions }) => {
    const { head, rules, examples } = parseManual(instructions);
    return [
      ...scored.within(head).map((problem) => `the text has the question of problem ${problem}`),
      ...examples.flatMap((example) => {
        const shown = scored.shownBy(example);
        return shown === null ? [] : [`an example shows ${shown}`];
      }),
      ...rules.flatMap((rule) => {
        const quoted = task.quoted?.(rule) ?? null;
        return quoted === null ? [] : [`a rule quotes ${quoted}`];
      }),
    ].map((leak) => `node ${id}: ${leak}`);
  });
  const inPrompts = answers.flatMap(({ problem, examples = [] }) => {
    const asked = new Scored(task, [problem]);
    return examples.flatMap((example) => {
      const isLeak = scored.has(example) || asked.twinOf(example) !== undefined;
      return isLeak ? [`the prompt of problem ${problem} shows problem ${example}`] : [];
    });
  });
  return { nodes: nodes.length, answers: answers.length, leaks: [...new Set([...inManuals, ...inPrompts])] };
}

/** The problems that score nodes. */
class Scored {
  readonly #parts: PromptParts | undefined;
  readonly #byKey = new Map<string, string>();

  constructor(
    private readonly task: Task,
    private readonly ids: readonly string[],
  ) {
    this.#parts = task.parts;
    for (const id of ids) for (const key of this.#keysOf(id)) this.#byKey.set(key, id);
  }

  /** Those whose questions a text has, whatever its white space. */
  within(text: string): string[] {
    const own = words(text);
    return this.ids.filter((id) => {
      const question = words(this.task.describe?.(id).question ?? "");
      return question !== "" && own.includes(question);
    });
  }

  has(id: string): boolean {
    return this.#byKey.get(id) === id;
  }

  /** Which of them a text shows, or shows a twin of; null for none. */
  shownBy(example: string): string | null {
    const own = this.task.problemIds.concat(this.task.testIds ?? []).find((id) => {
      const question = this.#parts?.question(id);
      return question !== undefined && (example === question || example.startsWith(`${question}\n`));
    });
    const other = own === undefined ? undefined : this.twinOf(own);
    if (other === undefined) return null;
    return own === other ? `problem ${own}` : `problem ${own}, a twin of problem ${other}`;
  }

  /** Which of them a problem is, or is a twin of. */
  twinOf(id: string): string | undefined {
    return this.#keysOf(id)
      .map((key) => this.#byKey.get(key))
      .find((other) => other !== undefined);
  }

  #keysOf(id: string): string[] {
    return [id, ...(this.#parts?.twinKeys(id) ?? [])];
  }
}

const words = (text: string) => text.toLowerCase().replace(/\s+/g, " ").trim();

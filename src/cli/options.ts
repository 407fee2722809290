/** Options that several commands have, and the parsing of their values. */
import { InvalidArgumentError, Option } from "@commander-js/extra-typings";
import { TASK_NAMES } from "../runs/tasks.js";
import { GPUS, type GpuName } from "../runtime/gpu-time.js";

/** Parses an option that is a whole number from `min` to `max`. */
export function integer(min: number, max = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== "" && Number.isSafeInteger(value) && value >= min && value <= max) return value;
    const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
    throw new InvalidArgumentError(`Give a whole number ${range}.`);
  };
}

/** Parses an option that is a number from `min` to `max`. */
export function decimal(min: number, max = Number.POSITIVE_INFINITY): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== "" && value >= min && value <= max && Number.isFinite(value)) return value;
    const range = max === Number.POSITIVE_INFINITY ? `of at least ${min}` : `from ${min} to ${max}`;
    throw new InvalidArgumentError(`Give a number ${range}.`);
  };
}

/** Parses what tokens cost: dollars for a million of a prompt's, and of those generated. */
export function price(text: string): { input: number; output: number } {
  const [input, output, ...more] = text
    .split(",")
    .map((part) => (part.trim() === "" ? Number.NaN : Number(part)));
  if (input !== undefined && output !== undefined && more.length === 0 && input >= 0 && output >= 0)
    return { input, output };
  throw new InvalidArgumentError("Give two numbers, such as 1.25,10.");
}

/** Tasks that are asked for by name; the others by the path of their file. */
const NAMED_TASKS: readonly string[] = TASK_NAMES.filter((name) => name !== "module" && name !== "own");

/** Whether a task's name is the path of its file. */
export const isTaskFile = (name: string): boolean => /[/\\]|\.[cm]?[jt]s$/.test(name);

/** Parses a task's name, or the path of a file that makes one. */
export function taskName(text: string): string {
  if (isTaskFile(text) || NAMED_TASKS.includes(text)) return text;
  throw new InvalidArgumentError(`Give one of ${NAMED_TASKS.join(", ")}, or a file such as ./my-task.js.`);
}

/** Collects `name=value`. */
export function taskOptionValues(text: string, before: Record<string, string> = {}): Record<string, string> {
  const [, name, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined) throw new InvalidArgumentError("Give name=value.");
  return { ...before, [name]: value };
}

/** For plans. */
export const gpuOption = () =>
  new Option("--gpu <name>", "with --dry-run: how long it would take there").choices(
    Object.keys(GPUS) as GpuName[],
  );

/** What runs the queries of BIRD's questions. */
export const sqlEngineOption = (description: string) =>
  new Option("--sql-engine <name>", description).choices(["sqlite", "duckdb"] as const);

/** The time limit of a predicted query, in seconds; BIRD's evaluator gives it 30. */
export const timeoutOption = {
  flags: "--timeout <seconds>",
  description: "time limit of a predicted query",
  parse: decimal(0.001),
  default: 30,
} as const;

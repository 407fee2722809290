/** What the options of `lse evolve` do: they are added to commands, and set fields of a configuration. */
import { type CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import type { PartialConfig } from "../runs/config.js";
import { OPTION_GROUPS } from "./evolve-option-rows.js";
import { isTaskFile } from "./options.js";

/** Those that `--help` shows; the others come with `--help --all`. */
const BASIC: readonly string[] = [
  "task",
  "data",
  "db",
  "model",
  "evolver-model",
  "rounds",
  "holdout",
  "max-cost",
  "stop-minutes",
  "method",
  "seed",
  "config",
  "out",
  "resume",
  "dry-run",
  "json",
];

const ROWS = Object.entries(OPTION_GROUPS).flatMap(([group, rows]) =>
  rows.map(([flags, field, description, values]) => ({ group, flags, field, description, values })),
);

/** The fields that options set, each with what the help says of it. */
export const FIELD_DESCRIPTIONS = ROWS.flatMap(({ field, flags, description }) =>
  field === "" ? [] : [[field, `${description} [${flags}]`] as const],
);

/** Fields that only edits depend on. */
const OF_EDITS =
  /^(evolver\.|evolve\.(rounds|batch|stop|method|schedule|ucbC|tries|edits|preferWrong|editContext|editReports|ruleTokens|exampleTokens|editMaxTokens|constrainEdits|kFold|spendAll|editTemperature)\b)/;

/** Adds all options to a command; its help shows the basic ones, or every one. */
export function addEvolveOptions(command: CommandUnknownOpts, isAll: boolean): void {
  for (const row of ROWS) {
    const option = optionOf(row);
    if (!isAll && !BASIC.includes(option.name())) option.hideHelp();
    command.addOption(option);
  }
}

/** Adds the options of a run without edits. */
export function addEvalOptions(command: CommandUnknownOpts): void {
  for (const row of ROWS) {
    const isForRuns = row.flags.startsWith("--resume") || row.flags === "--schema";
    if (!OF_EDITS.test(row.field) && !isForRuns) command.addOption(optionOf(row));
  }
}

function optionOf({ group, flags, description, values }: (typeof ROWS)[number]): Option {
  const option = new Option(flags, description).helpGroup(group);
  if (typeof values === "function")
    option.argParser<unknown>((text, before) => values(text, before as Record<string, string> | undefined));
  else if (values !== undefined) option.choices(values);
  if (option.name() === "subject") option.conflicts("db");
  return option;
}

/** The fields of the configuration that options give. @param options by their names, as commander has them */
export function fieldsOf(options: Readonly<Record<string, unknown>>): PartialConfig {
  const config: Record<string, unknown> = {};
  for (const { flags, field } of ROWS) {
    const value = options[new Option(flags).attributeName()];
    if (field !== "" && value !== undefined) setField(config, field.split("."), value);
  }
  const { task } = options;
  if (typeof task === "string")
    setField(config, ["task"], {
      ...(config.task as object | undefined),
      ...(isTaskFile(task) ? { name: "module", path: task } : { name: task }),
    });
  return config;
}

function setField(target: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [first = "", ...rest] = path;
  if (rest.length === 0) {
    target[first] = value;
    return;
  }
  const inner = { ...(target[first] as Record<string, unknown> | undefined) };
  target[first] = inner;
  setField(inner, rest, value);
}

/** A message of the library in the words of the command line: `evolve.holdout` becomes --holdout. */
export function withFlags(message: string): string {
  const flagOf = (field: string) =>
    OTHERS[field] ?? ROWS.find((row) => row.field === field)?.flags.split(" ")[0];
  return message
    .replace(/^the command line: field ([\w.]+): /, (whole, field: string) => {
      const flag = flagOf(field);
      return flag === undefined ? whole : `${flag}: `;
    })
    .replace(/`([a-z]\w*(?:\.\w+)*)`/g, (whole, field: string) => flagOf(field) ?? whole);
}

/** Fields that options of other commands set. */
const OTHERS: Readonly<Record<string, string>> = {
  to: "--to",
  quant: "--quant",
  sql: "--sql",
  "task.path": "--task",
  id: "--id",
};

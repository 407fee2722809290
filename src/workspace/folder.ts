/** A workspace on disk: the paths of its files, and its configuration `lse.json`. */
import { existsSync, readdirSync } from "node:fs";
import { basename, isAbsolute, join, relative, resolve } from "node:path";
import { z } from "zod";
import type { SqlEngine } from "../bird/sql/executor.js";
import { LseError } from "../errors.js";
import { readText, replaceFile } from "../lib/files.js";
import { checked, readJson } from "../lib/json-file.js";
import { isRemote } from "../runtime/remote/names.js";

export const ENGINES = ["sqlite", "duckdb"] as const satisfies SqlEngine[];

export const PROMPTS = ["sql", "mini"] as const;
export type Prompts = (typeof PROMPTS)[number];

/** A part of a run's configuration; checked when the rest of it is known. */
const part = z.record(z.string(), z.json()).default({});

const configSchema = z.strictObject({
  database: z.string().min(1),
  engine: z.enum(ENGINES),
  /** "sql": prompts like BIRD's. "mini": prompts in the few words that the embedded models know. */
  prompts: z.enum(PROMPTS).default("sql"),
  /** `model`, `evolver` and `evolve` of a run's config.json, as far as they differ from the defaults. */
  model: part,
  evolver: part,
  evolve: part,
  /** Seconds a query may take. */
  timeout: z.number().positive().default(30),
});

/** `lse.json`. Its paths are relative to the folder. */
export type WorkspaceConfig = z.infer<typeof configSchema>;

/** Names of the files in a folder; `lse init` writes the first three. */
export const FILES = { config: "lse.json", schema: "schema.sql", questions: "questions.yaml" } as const;

/** A workspace: the folder that `lse init` made for a database, with questions, manual and runs. */
export class Workspace {
  /** @throws LseError if `lse init` has not made the folder, or a field of lse.json is wrong */
  static open(path: string): Workspace {
    const configPath = join(path, FILES.config);
    if (!existsSync(configPath))
      throw new LseError(
        `${path}: no ${FILES.config} here`,
        `Make it a workspace with \`lse init <database> --to ${path}\``,
      );
    const config = checked(configSchema, readJson(configPath), configPath, "Correct that field");
    return new Workspace(path, config);
  }

  private constructor(
    readonly path: string,
    readonly config: WorkspaceConfig,
  ) {}

  get name(): string {
    return basename(resolve(this.path));
  }

  get configPath(): string {
    return join(this.path, FILES.config);
  }

  get databasePath(): string {
    return resolve(this.path, this.config.database);
  }

  get questionsPath(): string {
    return join(this.path, FILES.questions);
  }

  get manualPath(): string {
    return join(this.path, "manual.md");
  }

  get askedPath(): string {
    return join(this.path, "asked.jsonl");
  }

  get runsPath(): string {
    return join(this.path, "runs");
  }

  /** The file that records the questions of a run, and the instructions it started from. */
  problemsPath(run: string): string {
    return join(this.path, "problems", `${run}.json`);
  }

  runPath(run: string): string {
    return join(this.runsPath, run);
  }

  /** The schema as prompts show it. @throws LseError if it is missing or empty */
  schema(): string {
    const path = join(this.path, FILES.schema);
    const text = readText(path);
    if (text) return text;
    throw new LseError(
      `${path}: ${text === null ? "no such file" : "it is empty"}`,
      "Write the tables that questions are about into it, or make the workspace again with `lse init`",
    );
  }

  /** The best instructions so far; null before the first run. */
  manual(): string | null {
    return readText(this.manualPath) || null;
  }

  writeManual(text: string): void {
    replaceFile(this.manualPath, `${text}\n`);
  }

  /** Names of the runs, the oldest first. */
  runs(): string[] {
    if (!existsSync(this.runsPath)) return [];
    const isRun = (name: string) =>
      /^\d{3,}$/.test(name) && existsSync(join(this.runPath(name), "config.json"));
    return readdirSync(this.runsPath)
      .filter(isRun)
      .sort((a, b) => Number(a) - Number(b));
  }

  /** Saves which models to use from now on; `parts` has absolute paths. */
  remember(parts: { readonly model: object; readonly evolver: object }): Workspace {
    const inside = (section: object) => withPaths(part.parse(section), (path) => relativeTo(this.path, path));
    const config = { ...this.config, model: inside(parts.model), evolver: inside(parts.evolver) };
    replaceFile(this.configPath, configText(config));
    return new Workspace(this.path, config);
  }

  /** The models' parts of the configuration, with absolute paths. */
  models(): Pick<WorkspaceConfig, "model" | "evolver"> {
    const absolute = (section: WorkspaceConfig["model"]) =>
      withPaths(section, (path) => resolve(this.path, path));
    return { model: absolute(this.config.model), evolver: absolute(this.config.evolver) };
  }
}

/** `lse.json` as it is written: without fields that have their default values. */
export function configText({ model, evolver, evolve, timeout, ...config }: WorkspaceConfig): string {
  const parts = Object.entries({ model, evolver, evolve }).filter(
    ([, value]) => Object.keys(value).length > 0,
  );
  const document = { ...config, ...Object.fromEntries(parts), ...(timeout === 30 ? {} : { timeout }) };
  return `${JSON.stringify(document, null, 2)}\n`;
}

/** A path relative to the folder; absolute if it is on another disk. */
export function relativeTo(folder: string, path: string): string {
  const way = relative(resolve(folder), resolve(path));
  return isAbsolute(way) ? way : way.replaceAll("\\", "/");
}

/** Fields of `model` and `evolver` that are paths, unless they name the model of a service. */
const PATH_FIELDS = ["path", "model", "adapter"];

function withPaths(
  section: WorkspaceConfig["model"],
  change: (path: string) => string,
): WorkspaceConfig["model"] {
  const changed = Object.entries(section).map(([name, value]) => {
    const isPath = PATH_FIELDS.includes(name) && typeof value === "string" && !isRemote(value);
    return [name, isPath ? change(value) : value];
  });
  return Object.fromEntries(changed);
}

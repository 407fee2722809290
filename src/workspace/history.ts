/** The history of the manual: what each run and each edit by hand changed. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { readText } from "../lib/files.js";
import type { Workspace } from "./folder.js";
import { readProblems } from "./problems.js";
import { isDone, readSettled, type Settled } from "./settle.js";

/** A change of the manual, or a run that did not change it. */
export interface Version {
  /** Such as "run 002", or "edited by hand". */
  readonly title: string;
  /** The manual before and after. */
  readonly before: string;
  readonly after: string;
  /** Null for an edit by hand, and for a run that is not over. */
  readonly settled: Settled | null;
}

/** How the manual changed: by runs, and by hand between them. */
export function historyOf(folder: Workspace): Version[] {
  const versions: Version[] = [];
  let current: string | null = null;
  const byHand = (text: string) => {
    if (current !== null && text !== current)
      versions.push({ title: "edited by hand", before: current, after: text, settled: null });
    current = text;
  };
  for (const run of folder.runs()) {
    const problems = folder.problemsPath(run);
    if (!existsSync(problems)) continue;
    const start = readProblems(problems).start.trim();
    byHand(start);
    const settled = readSettled(folder, run);
    const title = `run ${run}${isDone(folder, run) ? "" : ", which is not over"}`;
    const after =
      settled?.outcome === "taken" ? (readText(join(folder.runPath(run), "best.md")) ?? start) : start;
    versions.push({ title, before: start, after, settled });
    current = after;
  }
  const manual = folder.manual();
  if (manual !== null) byHand(manual);
  return versions;
}

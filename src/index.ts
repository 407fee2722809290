/** The library: what it takes to evolve instructions, on data of your own too, and to look at runs. `lse/…` has the rest. */
export { BirdTask } from "./bird/task.js";
export { LseError } from "./errors.js";
export { compareRuns } from "./evolve/compare.js";
export { type EvolveConfig, evolveConfigSchema } from "./evolve/config.js";
export { type Evolution, evolve } from "./evolve/evolve.js";
export { MemoryJournal, type RunEvent } from "./journal/journal.js";
export { RunFolder } from "./journal/run-folder.js";
export { RunQuery } from "./journal/run-query.js";
export { extractTag } from "./lib/extract.js";
export {
  type ChatMessage,
  type Completion,
  type GenerateRequest,
  type LanguageModel,
  PAPER_SAMPLING,
  type Sampling,
  type Usage,
} from "./model.js";
export { reportHtml } from "./report/html.js";
export { type RunConfig, resolveConfig } from "./runs/config.js";
export { resumeRun, startRun } from "./runs/evolve.js";
export { finishedRun } from "./runs/finished-run.js";
export { ReportSource } from "./runs/report-source.js";
export { runFolders } from "./runs/run-folders.js";
export { type RunOutcome, runInFolder } from "./runs/run-in-folder.js";
export { openTask } from "./runs/tasks.js";
export { evolveWorkspace } from "./runs/workspace.js";
export { askWorkspace } from "./runs/workspace-ask.js";
export { openLlama } from "./runtime/llama/open.js";
export { openRemote } from "./runtime/remote/open.js";
export type { Outcome, Task } from "./task.js";
export { openTaskFile, type TaskFactory } from "./task-file/task-file.js";
export { giveFeedback } from "./workspace/ask.js";
export { Workspace } from "./workspace/folder.js";
export { initFolder } from "./workspace/init.js";

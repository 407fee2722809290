/** Opens the executor for single queries in a workspace. */
import { DUCKDB_MEMORY_MB } from "../bird/execution-accuracy.js";
import { SqlExecutor } from "../bird/sql/executor.js";
import { limitMs } from "../lib/time-limit.js";
import type { Workspace } from "./folder.js";

/** Runs single queries like graded ones: read-only, in the workspace's engine, with its time limit. */
export function openExecutor({ config: { engine, timeout } }: Workspace): SqlExecutor {
  const limits = {
    timeoutMs: limitMs(timeout),
    ...(engine === "duckdb" ? { memoryMb: DUCKDB_MEMORY_MB } : {}),
  };
  return new SqlExecutor({ engine, processes: 1, limits });
}

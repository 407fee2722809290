/** `lse/bird`: BIRD's files, metrics and SQL engines. */
export { type BirdData, type BirdQuestion, databasesOf, openBird, questionsOf } from "../bird/dataset.js";
export { compareDatabases } from "../bird/duckdb/compare-databases.js";
export { copyOf } from "../bird/duckdb/copy.js";
export { DuckDbDatabase, DuckDbError } from "../bird/duckdb/database.js";
export { compareDialects, type Dialects } from "../bird/duckdb/dialects.js";
export { type Evaluation, evaluatePredictions, goldAsPredictions, type Score } from "../bird/evaluate.js";
export { ExecutionAccuracy, type Verdict } from "../bird/execution-accuracy.js";
export { defectOf, KNOWN_DEFECTS, type KnownDefect } from "../bird/known-defects.js";
export { officialTable } from "../bird/official-table.js";
export { formatPredictions, type Prediction, readPredictions } from "../bird/predictions.js";
export { rVes, speedReward } from "../bird/r-ves.js";
export { describeSchema, readSchema } from "../bird/schema.js";
export { softF1 } from "../bird/soft-f1.js";
export {
  DEFAULT_SQL_LIMITS,
  type SqlEngine,
  SqlExecutor,
  type SqlFailure,
  type SqlLimits,
  type SqlResult,
  type SqlRows,
  sameRows,
} from "../bird/sql/executor.js";
export { BirdTask, type BirdTaskOptions } from "../bird/task.js";

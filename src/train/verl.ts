/**
 * The data of a training for verl, which trains on several machines: Parquet files with the columns of its
 * RLHFDataset (https://verl.readthedocs.io/en/latest/preparation/prepare_data.html) and a reward function that asks
 * our reward server.
 */
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { DuckDBInstance } from "@duckdb/node-api";
import { stateName } from "./reward-service.js";
import type { EditState } from "./rl/edit-states.js";

const COLUMNS = {
  data_source: "VARCHAR",
  prompt: "STRUCT(role VARCHAR, content VARCHAR)[]",
  ability: "VARCHAR",
  reward_model: "STRUCT(style VARCHAR, ground_truth VARCHAR)",
  extra_info: 'STRUCT(split VARCHAR, "index" BIGINT, score DOUBLE, standard_error DOUBLE)',
};

/** Node number `index` of a split. `ground_truth` names it to the reward server. */
function rowOf(state: EditState, split: string, index: number) {
  const { run, messages, score, standardError } = state;
  return {
    data_source: `lse/${run.task.id}`,
    prompt: messages,
    ability: "instruction rewriting",
    reward_model: { style: "rule", ground_truth: stateName(state) },
    extra_info: { split, index, score, standard_error: Number.isNaN(standardError) ? null : standardError },
  };
}

/** Writes `train.parquet`, `validation.parquet` and `lse_reward.py` into a folder. */
export async function exportVerl(
  folder: string,
  splits: { readonly training: readonly EditState[]; readonly validation: readonly EditState[] },
): Promise<void> {
  mkdirSync(folder, { recursive: true });
  await writeParquet(join(folder, "train.parquet"), splits.training, "train");
  await writeParquet(join(folder, "validation.parquet"), splits.validation, "validation");
  copyFileSync(
    fileURLToPath(new URL("../../src/train/lse_reward.py", import.meta.url)),
    join(folder, "lse_reward.py"),
  );
}

async function writeParquet(path: string, states: readonly EditState[], split: string): Promise<void> {
  const lines = `${path}.jsonl`;
  writeFileSync(lines, states.map((state, i) => `${JSON.stringify(rowOf(state, split, i))}\n`).join(""));
  const columns = Object.entries(COLUMNS).map(([name, type]) => `${name}: ${quoted(type)}`);
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  try {
    await connection.run(
      `COPY (SELECT * FROM read_json(${quoted(lines)}, format = 'newline_delimited', columns = {${columns}}))
       TO ${quoted(path)} (FORMAT parquet)`,
    );
  } finally {
    connection.closeSync();
    instance.closeSync();
    rmSync(lines);
  }
}

const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`;

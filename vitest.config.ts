/** Which tests run beside each other, and which alone. */
import { defineConfig } from "vitest/config";

/** Take both cores by themselves, or mind their time. */
const ALONE = [
  "test/model/llama-stress.test.ts",
  "test/model/reproduce-mini.test.ts",
  "test/model/trainer.test.ts",
  "test/process/sql-executor.test.ts",
  "test/process/duckdb.test.ts",
];

/** A group of test files, one group after the other. */
const group = (order: number, name: string, include: string[], exclude: string[] = []) => ({
  extends: true as const,
  test: { name, include, exclude, maxWorkers: 2, sequence: { groupOrder: order } },
});

// Tests import the built JavaScript through the `#lse/*` map of package.json, so they run what ships:
// the child processes and bin of the package, with no TypeScript loader in between.
export default defineConfig({
  test: {
    testTimeout: 60_000,
    hookTimeout: 60_000,
    projects: [
      // No model, no child processes: `npm run test:unit`.
      group(0, "unit", ["test/unit/**/*.test.ts"]),
      group(1, "process", ["test/process/**/*.test.ts"], ALONE),
      // Their engines have one thread each.
      group(2, "model", ["test/model/**/*.test.ts", "test/data/**/*.test.ts"], ALONE),
      {
        extends: true,
        test: { name: "alone", include: ALONE, fileParallelism: false, sequence: { groupOrder: 3 } },
      },
      {
        extends: true,
        // Real models, minutes a test: `npm run test:real`.
        test: {
          name: "real",
          include: ["test/real/**/*.test.ts"],
          fileParallelism: false,
          testTimeout: 3_600_000,
          sequence: { groupOrder: 4 },
        },
      },
    ],
  },
});

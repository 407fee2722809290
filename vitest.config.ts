/** Which tests run beside each other, and which alone. */
import { defineConfig } from "vitest/config";

/** Take both cores by themselves, or mind their time. */
const ALONE = [
  "test/model/**/*.test.ts",
  "test/data/**/*.test.ts",
  "test/process/sql-executor.test.ts",
  "test/process/duckdb.test.ts",
];

// Tests import the built JavaScript through the `#lse/*` map of package.json, so they run what ships:
// the child processes and bin of the package, with no TypeScript loader in between.
export default defineConfig({
  test: {
    testTimeout: 60_000,
    hookTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: {
          // No model, no child processes: `npm run test:unit`.
          name: "unit",
          include: ["test/unit/**/*.test.ts"],
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: "process",
          include: ["test/process/**/*.test.ts"],
          exclude: ALONE,
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: "alone",
          include: ALONE,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});

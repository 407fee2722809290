import { defineConfig } from "vitest/config";

/** What minds its time or takes both cores: a model, or SQL processes at their limits. */
const ALONE = ["test/model/**/*.test.ts", "test/data/**/*.test.ts"];
const ALSO_ALONE = ["sql-executor", "duckdb", "trainer", "train-gradients"].map(
  (name) => `test/unit/${name}.test.ts`,
);

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
          name: "side by side",
          include: ["test/unit/**/*.test.ts"],
          exclude: ALSO_ALONE,
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: "alone",
          include: [...ALONE, ...ALSO_ALONE],
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});

import { defineConfig } from "vitest/config";

// Tests import the built JavaScript through the `#lse/*` map of package.json, so they run what ships:
// the child processes and bin of the package, with no TypeScript loader in between.
export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Two cores: a model and the SQL processes already use both.
    fileParallelism: false,
  },
});

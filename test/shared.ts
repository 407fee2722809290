import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, it } from "vitest";

/** Real data beside the checkout; it is not part of the project. */
const SHARED = fileURLToPath(new URL("../../shared/", import.meta.url));

export const sharedPath = (path: string) => `${SHARED}${path}`;

/** A suite that needs real files, skipped with a printed reason where they are missing. */
export function describeWithShared(name: string, paths: readonly string[], suite: () => void): void {
  const missing = paths.find((path) => !existsSync(sharedPath(path)));
  if (missing === undefined) {
    describe(name, suite);
    return;
  }
  console.warn(`skipped "${name}": ../shared/${missing} is not there`);
  // The suite itself would read the files.
  describe.skip(name, () => it("needs real files", () => {}));
}

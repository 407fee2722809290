import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe } from "vitest";

/** Real data beside the checkout; it is not part of the project. */
const SHARED = fileURLToPath(new URL("../../shared/", import.meta.url));

export const sharedPath = (path: string) => `${SHARED}${path}`;

/** A suite that needs real files, skipped with a printed reason where they are missing. */
export function describeWithShared(name: string, paths: readonly string[], suite: () => void): void {
  const missing = paths.find((path) => !existsSync(sharedPath(path)));
  if (missing !== undefined) console.warn(`skipped "${name}": ../shared/${missing} is not there`);
  describe.skipIf(missing !== undefined)(name, suite);
}

import { writeFileSync } from "node:fs";
import { afterAll, expect, it } from "vitest";
import { hashFile, hashFileOnce } from "#lse/lib/hash.js";
import { scratch } from "../workspace-folder.js";

const folder = scratch();
afterAll(folder.remove);

it("a file is read once, until it changes", async () => {
  const path = folder.path("file");
  writeFileSync(path, "one");
  const first = hashFileOnce(path);
  expect(hashFileOnce(path)).toBe(first);
  expect(await first).toBe(await hashFile(path));
  writeFileSync(path, "other");
  expect(await hashFileOnce(path)).toBe(await hashFile(path));
  expect(await hashFileOnce(path)).not.toBe(await first);
  expect(() => hashFileOnce(folder.path("none"))).toThrow(/ENOENT/);
});

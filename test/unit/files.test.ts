import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LseError } from "#lse/errors.js";
import { replaceFile } from "#lse/lib/files.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lse-files-"));
});
afterEach(() => rmSync(folder, { recursive: true }));
const path = (name: string) => join(folder, name);

describe("replacing a file", () => {
  it("touches no other file, whatever its name", () => {
    writeFileSync(path("a.json"), "old");
    writeFileSync(path("a.json.part"), "mine");
    replaceFile(path("a.json"), "new");
    expect(readFileSync(path("a.json"), "utf8")).toBe("new");
    expect(readFileSync(path("a.json.part"), "utf8")).toBe("mine");
    expect(readdirSync(folder).sort()).toEqual(["a.json", "a.json.part"]);
  });

  it("keeps a link and the permissions of its file", () => {
    writeFileSync(path("real"), "old");
    chmodSync(path("real"), 0o600);
    symlinkSync("real", path("link"));
    replaceFile(path("link"), "new");
    expect(lstatSync(path("link")).isSymbolicLink()).toBe(true);
    expect(readFileSync(path("real"), "utf8")).toBe("new");
    expect(statSync(path("real")).mode & 0o777).toBe(0o600);
  });

  it("writes to what is no file, and leaves nothing where it fails", () => {
    symlinkSync("/dev/null", path("null"));
    replaceFile(path("null"), "gone");
    expect(lstatSync(path("null")).isSymbolicLink()).toBe(true);
    expect(statSync("/dev/null").isFile()).toBe(false);
    mkdirSync(path("sub"));
    expect(() => replaceFile(path("sub"), "x")).toThrow(LseError);
    expect(() => replaceFile(path("none/x"), "x")).toThrow(/none\/x: cannot write \(.*permissions/);
    expect(readdirSync(folder).sort()).toEqual(["null", "sub"]);
  });
});

import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LseError } from "#lse/errors.js";
import type { RunEvent } from "#lse/journal/journal.js";
import { JournalFile, SavedJournal } from "#lse/journal/journal-file.js";
import { RunFolder } from "#lse/journal/run-folder.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lse-ledger-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const edit = (round: number, rejected: string | null = null): RunEvent => ({
  type: "edit",
  key: String(round),
  round,
  parent: 0,
  attempt: 1,
  rejected,
  promptTokens: 7,
  tokens: 3,
});

describe("the event log", () => {
  const path = () => join(folder, "events.jsonl");

  it("recalls what it recorded, in this process and the next, and keeps the first of a key", () => {
    {
      using log = new JournalFile(path());
      log.record(edit(1, "naïve – “quoted”\n"));
      log.record(edit(1, "another"));
      expect(log.recall("edit", "1")?.rejected).toBe("naïve – “quoted”\n");
    }
    using log = new JournalFile(path());
    expect(log.recall("edit", "1")?.rejected).toBe("naïve – “quoted”\n");
    expect(log.recall("edit", "2")).toBeUndefined();
    expect(log.recall("node", "1")).toBeUndefined();
    expect(log.count("edit")).toBe(1);
    expect(readFileSync(path(), "utf8").trim().split("\n")).toHaveLength(1);
  });

  it("has an event on the disk as soon as record returns", () => {
    using log = new JournalFile(path());
    log.record(edit(1));
    expect(new SavedJournal(path()).count("edit")).toBe(1);
  });

  it.each([1, 10, 40])("drops a last line torn after %i bytes and goes on behind the whole ones", (bytes) => {
    {
      using log = new JournalFile(path());
      log.record(edit(1));
    }
    const whole = readFileSync(path(), "utf8");
    appendFileSync(path(), JSON.stringify(edit(2, "é".repeat(50))).slice(0, bytes));
    expect(new SavedJournal(path()).count("edit")).toBe(1);
    using log = new JournalFile(path());
    expect(readFileSync(path(), "utf8")).toBe(whole);
    log.record(edit(3));
    expect(new SavedJournal(path()).recall("edit", "3")?.round).toBe(3);
  });

  it.each([1, 9, 20])("is begun again where only %i bytes of its first line are there", (bytes) => {
    writeFileSync(path(), JSON.stringify(edit(1)).slice(0, bytes));
    using log = new JournalFile(path());
    log.record(edit(2));
    expect(new SavedJournal(path()).count("edit")).toBe(1);
  });

  it("keeps a last event that only lacks its line break", () => {
    writeFileSync(path(), JSON.stringify(edit(1)));
    {
      using log = new JournalFile(path());
      log.record(edit(2));
    }
    expect(new SavedJournal(path()).count("edit")).toBe(2);
  });

  it.each([
    '{"precious": "no newline at the end"}',
    "a text",
    '{"type":"FeatureCollection","features":[',
    '{"type":"edit"}',
    `${JSON.stringify(edit(1))}\n{"precious": 1}`,
  ])("leaves another file as it is: %s", (content) => {
    writeFileSync(path(), content);
    expect(() => new JournalFile(path())).toThrow(/events\.jsonl: this is not a journal of lse/);
    expect(readFileSync(path(), "utf8")).toBe(content);
  });

  it("is no folder: one line", () => {
    expect(() => new JournalFile(folder)).toThrow(/cannot read it \(EISDIR/);
    expect(() => new JournalFile(join(folder, "no", "x"))).toThrow(/x: cannot write \(ENOENT/);
  });

  it.each([1, 7, 4096])("is read %i bytes at a time, so that it may be larger than any text", (chunk) => {
    {
      using log = new JournalFile(path());
      for (let i = 0; i < 5; i++) log.record(edit(i, "é".repeat(i)));
    }
    appendFileSync(path(), "half");
    const saved = new SavedJournal(path(), chunk);
    expect([...saved.all("edit")]).toEqual([0, 1, 2, 3, 4].map((i) => edit(i, "é".repeat(i))));
  });

  it.each([
    [{ ...edit(1), tokens: "3" }, /events\.jsonl: the event edit 1: field tokens: .*Restore the file/],
    [{ type: "answer", key: "a", outcome: null }, /the event answer a: field node/],
    [{ type: "done", key: "done", best: {}, reason: 5 }, /the event done done: field best/],
  ])("names file, event and field where an event is not what it should be: %j", (event, message) => {
    writeFileSync(path(), `${JSON.stringify(event)}\n{"type":"of another version","key":"1"}\n`);
    const saved = new SavedJournal(path());
    const read = () => [...saved.all(event.type as RunEvent["type"])];
    expect(read).toThrow(LseError);
    expect(read).toThrow(message);
  });

  it("names file and line of a damaged line that is not the last", () => {
    writeFileSync(path(), `${JSON.stringify(edit(1))}\nnonsense\n${JSON.stringify(edit(2))}\n`);
    expect(() => new JournalFile(path())).toThrow(/events\.jsonl: line 2/);
  });

  it.skipIf(process.platform === "win32")("does not wait for a pipe", () => {
    execFileSync("mkfifo", [path()]);
    expect(() => new SavedJournal(path())).toThrow(/this is a pipe/);
  });

  it("tells about new events only", () => {
    using log = new JournalFile(path());
    const seen: string[] = [];
    log.record(edit(1));
    log.onEvent = ({ key }) => seen.push(key);
    log.record(edit(1));
    log.record(edit(2));
    expect(seen).toEqual(["2"]);
  });
});

describe("the run folder", () => {
  it("keeps the configuration and leaves no half-written file", () => {
    const path = join(folder, "deep", "run");
    RunFolder.create(path, { seed: 3 }).writeTree("{}");
    expect(RunFolder.open(path).readConfig()).toEqual({ seed: 3 });
    expect(RunFolder.open(path).readTree()).toBe("{}");
    expect(readdirSync(path).sort()).toEqual(["config.json", "tree.json"]);
  });

  it("does not touch a folder in use, and says how to go on with a run in it", () => {
    const path = join(folder, "run");
    const { eventsPath } = RunFolder.create(path, {});
    // Nothing is paid for yet.
    writeFileSync(eventsPath, '{"type":"tokens","key":"a","count":1}\n');
    // What a kill while a file was replaced has left.
    writeFileSync(join(path, "tree.json.0123abcd.part"), "{");
    RunFolder.create(path, {});
    expect(readdirSync(path)).toEqual(["config.json"]);
    writeFileSync(eventsPath, '{"type":"generation","key":"a","fingerprint":"","completion":{}}\n');
    expect(() => RunFolder.create(path, {})).toThrow(/--resume/);
    writeFileSync(join(folder, "note.txt"), "mine");
    expect(() => RunFolder.create(folder, {})).toThrow(LseError);
  });

  it("says what is missing", () => {
    expect(() => RunFolder.open(folder)).toThrow(/config\.json is missing/);
    expect(() => RunFolder.create(join(folder, "run"), {}).readTree()).toThrow(/tree\.json: not written yet/);
    const odd = RunFolder.create(join(folder, "odd"), {});
    mkdirSync(odd.treePath);
    expect(() => odd.readTree()).toThrow(/tree\.json: cannot read it \(EISDIR/);
  });
});

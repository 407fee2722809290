import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { resolveConfig } from "#lse/runs/config.js";
import { resumeRun, startRun } from "#lse/runs/evolve.js";
import { resultDocument } from "#lse/terminal/result-text.js";
import { reply } from "../../examples/toy-model.js";
import { ChatServer } from "../chat-server.js";
import { MAIN, outputOf } from "../cli.js";

const folder = mkdtempSync(join(tmpdir(), "lse-full-"));
const path = (...names: string[]) => join(folder, ...names);
const root = fileURLToPath(new URL("../..", import.meta.url));
let server: ChatServer;

beforeAll(async () => {
  server = await ChatServer.start(({ body }) => ({ text: reply(body.messages) }));
  const tickets = readFileSync(join(root, "examples", "tickets.js"), "utf8");
  const library = JSON.stringify(join(root, "dist/index.js"));
  writeFileSync(path("task.mjs"), tickets.replace('from "lse"', `from ${library}`));
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const evolve = (run: string) => [
  ...["evolve", "--task", path("task.mjs"), "--task-option", "things=2", "--model", "openai:toy"],
  ...["--base-url", `${server.url}/v1`, "--parallel", "1", "--rounds", "2", "--batch", "2"],
  ...["--holdout", "3", "--test", "2", "--seed", "1", "--json", "--out", path(run)],
];

/** Runs the program in a shell that lets no file grow beyond so many KiB, which fails as a full disk does. */
function running(options: string[], kib: number | null) {
  const limit = kib === null ? "" : `ulimit -f ${kib};`;
  const program = [process.execPath, MAIN, ...options];
  return outputOf(
    spawn("bash", ["-c", `${limit} exec "$@"`, "bash", ...program], { stdio: ["ignore", "pipe", "pipe"] }),
  );
}

const resultOf = (stdout: string) => {
  const { best, nodes, answers, test } = JSON.parse(stdout);
  return { best, nodes, answers, test };
};

describe.runIf(process.platform === "linux")("where writing fails", () => {
  it("a run ends with one line at any size, and goes on to the same result", async () => {
    const unbroken = await running(evolve("unbroken"), null);
    expect(unbroken.status, unbroken.stderr).toBe(0);
    const kib = Math.floor(statSync(path("unbroken", "events.jsonl")).size / 1024);
    const sizes = Array.from({ length: 23 }, (_, i) => Math.floor((i * (kib + 1)) / 23));
    const tried = await Promise.all(
      [0, 1, 2].map((worker) => inTurn(sizes.filter((_, i) => i % 3 === worker))),
    );
    expect(tried.flat()).toHaveLength(23);
    for (const result of tried.flat()) expect(result).toEqual(resultOf(unbroken.stdout));

    async function inTurn(own: readonly number[]) {
      const results: unknown[] = [];
      for (const size of own) results.push(await broken(size));
      return results;
    }
  }, 240_000);

  let runs = 0;
  /** @returns the result of a run that failed at a size and went on */
  async function broken(kib: number) {
    const run = `run-${runs++}`;
    const failed = await running(evolve(run), kib);
    expect(failed.status, `${kib} KiB`).toBe(1);
    const lines = failed.stderr.trimEnd().split("\n");
    const said = lines.filter((line) => line.startsWith("lse: "));
    expect(said, failed.stderr).toEqual([expect.stringMatching(/EFBIG|ENOSPC|cannot be locked/)]);
    expect(lines.at(-1)).toBe(said[0]);
    expect(failed.stderr).not.toMatch(/^\s+at /m);
    const events = path(run, "events.jsonl");
    const whole = existsSync(events) ? readFileSync(events, "utf8").split("\n").slice(0, -1) : [];
    for (const line of whole) expect(JSON.parse(line)).toHaveProperty("key");
    const isUsed = whole.some((line) => JSON.parse(line).type === "generation");
    const config = resolveConfig(
      JSON.parse(readFileSync(path("unbroken", "config.json"), "utf8")),
      "the test",
    );
    const again = isUsed ? await resumeRun(path(run)) : await startRun(path(run), config);
    return resultOf(JSON.stringify(resultDocument(again)));
  }

  it("nothing but one line is said where standard output is full", async () => {
    const shell = `'${process.execPath}' '${MAIN}' mini show test/3 > /dev/full`;
    const child = spawn("bash", ["-c", shell], { stdio: ["ignore", "pipe", "pipe"] });
    const { status, stderr } = await outputOf(child);
    expect([status, stderr]).toEqual([1, expect.stringMatching(/^lse: [^\n]*ENOSPC[^\n]*\n$/)]);
  });
});

import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FolderLock, LOCK } from "#lse/lib/folder-lock.js";
import { ChatServer } from "../chat-server.js";
import { besideLse, lse } from "../cli.js";
import { buildTinyBird } from "../tiny-bird/build.js";

const folder = mkdtempSync(join(tmpdir(), "lse-lock-"));
const path = (...names: string[]) => join(folder, ...names);
beforeAll(() => buildTinyBird(path("data")));
afterAll(() => rmSync(folder, { recursive: true }));

const LOCK_MODULE = fileURLToPath(new URL("../../dist/lib/folder-lock.js", import.meta.url));

/** A process that takes the lock of each folder it is told of, says "won" or why not, and releases when it is told to. */
const WORKER = `
  import { createInterface } from "node:readline";
  import { FolderLock } from ${JSON.stringify(LOCK_MODULE)};
  let lock;
  for await (const line of createInterface({ input: process.stdin })) {
    if (line === "release") {
      lock?.[Symbol.dispose]();
      lock = undefined;
      console.log("released");
      continue;
    }
    try {
      lock = FolderLock.take(line, "lse evolve");
      console.log("won");
    } catch (error) {
      console.log(error.message);
    }
  }
`;

class Worker implements Disposable {
  readonly #child: ChildProcess = spawn(process.execPath, ["--input-type=module", "-e", WORKER], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  readonly #lines: string[] = [];

  constructor() {
    let rest = "";
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      this.#lines.push(...lines);
    });
  }

  get pid() {
    return this.#child.pid;
  }

  async say(line: string): Promise<string> {
    this.#child.stdin?.write(`${line}\n`);
    while (this.#lines.length === 0) await once(this.#child.stdout as NodeJS.ReadableStream, "data");
    return this.#lines.shift() as string;
  }

  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await once(this.#child, "close");
  }

  [Symbol.dispose](): void {
    this.#child.kill("SIGKILL");
  }
}

const owner = (over: object = {}) =>
  JSON.stringify({
    pid: process.pid,
    host: hostname(),
    command: "lse evolve",
    since: "2026-01-02T03:04:05.678Z",
    started: null,
    ...over,
  });

const made = (name: string) => {
  mkdirSync(path(name), { recursive: true });
  return path(name);
};

describe("the lock of a folder", () => {
  it("goes to exactly one of four processes that want it at once, over a lock that a crash left", async () => {
    using one = new Worker();
    using two = new Worker();
    using three = new Worker();
    using four = new Worker();
    const workers = [one, two, three, four];
    for (let i = 0; i < 20; i++) {
      const own = made(`race-${i}`);
      // A process of this number that began at another time; every third folder has none.
      if (i % 3 !== 0) writeFileSync(join(own, LOCK), owner({ started: "1" }));
      if (i % 3 === 2) writeFileSync(join(own, `${LOCK}.part`), "half");
      const said = await Promise.all(workers.map((worker) => worker.say(own)));
      expect(said.filter((line) => line === "won")).toHaveLength(1);
      const winner = workers[said.indexOf("won")] as Worker;
      for (const line of said.filter((line) => line !== "won"))
        expect(line).toMatch(
          new RegExp(
            `race-${i}: \`lse evolve\` works here \\(process ${winner.pid} on .*, since 2.*\\)\\. Wait`,
          ),
        );
      await winner.say("release");
      expect(readdirSync(own).filter((name) => name !== `${LOCK}.part`)).toEqual([]);
    }
  });

  it("is left harmless by a process that is killed", async () => {
    const own = made("killed");
    using worker = new Worker();
    expect(await worker.say(own)).toBe("won");
    expect(() => FolderLock.take(own, "lse train")).toThrow(/works here/);
    await worker.kill();
    using lock = FolderLock.take(own, "lse train");
    expect(JSON.parse(readFileSync(lock.path, "utf8")).pid).toBe(process.pid);
  });

  it("is one for all paths to the folder", () => {
    const own = made("real");
    symlinkSync(own, path("link"));
    using _ = FolderLock.take(path("link"), "lse evolve");
    expect(() => FolderLock.take(own, "lse evolve")).toThrow(/works here/);
  });

  it.each([
    ["nothing", ""],
    ["half a line", '{"pid": 1'],
    ["no process", '{"pid": "x", "host": 3}'],
    ["a process that cannot be", owner({ pid: 4e15 })],
    ["binary junk", "\0\xff\x1b"],
  ])("is taken over from a file with %s in it", (what, text) => {
    const own = made(what);
    writeFileSync(join(own, LOCK), text);
    FolderLock.take(own, "lse evolve")[Symbol.dispose]();
    expect(readdirSync(own)).toEqual([]);
  });

  it("is taken over where the one who took it over died before", () => {
    const own = made("chain");
    const dead = [owner({ started: "1" }), owner({ started: "2" })];
    const successor = `${LOCK}.${createHash("sha256")
      .update(dead[0] as string)
      .digest("hex")
      .slice(0, 16)}`;
    writeFileSync(join(own, LOCK), dead[0] as string);
    writeFileSync(join(own, successor), dead[1] as string);
    using first = FolderLock.take(own, "lse evolve");
    expect(JSON.parse(readFileSync(first.path, "utf8")).pid).toBe(process.pid);
    expect(() => FolderLock.take(own, "lse evolve")).toThrow(/works here/);
    // One that took the first lock over and lives has the folder, too.
    const other = made("chain-alive");
    writeFileSync(join(other, LOCK), dead[0] as string);
    writeFileSync(join(other, successor), owner());
    expect(() => FolderLock.take(other, "lse evolve")).toThrow(/works here/);
  });

  it("of another machine is respected, and the file to delete named", () => {
    const own = made("elsewhere");
    writeFileSync(join(own, LOCK), owner({ host: "far-away", pid: 7 }));
    expect(() => FolderLock.take(own, "lse evolve")).toThrow(
      `process 7 on far-away, since 2026-01-02T03:04:05.678Z). Wait until it ends; if it does not run there any more, delete ${join(own, LOCK)}.`,
    );
  });

  it("says why it cannot be taken", () => {
    expect(() => FolderLock.take(path("nowhere"), "lse evolve")).toThrow(
      /nowhere: cannot be locked \(ENOENT/,
    );
  });
});

describe("two programs in one folder", () => {
  const optionsFor = (server: ChatServer, run: string) => [
    ...["evolve", "--data", path("data"), "--db", "bakery", "--cache", path("cache"), "--out", path(run)],
    ...["--model", "openai:small", "--base-url", `${server.url}/v1`, "--rounds", "1", "--batch", "3"],
    ...["--holdout", "4", "--test", "2", "--max-tokens", "50"],
  ];

  const start = (...options: string[]) => besideLse({}, ...options);

  const refusal = (run: string) =>
    new RegExp(`^lse: .*${run}: \`lse evolve\` works here \\(process \\d+ on [^\\n]*\\n$`);

  it("one works, the other says who it is; reading needs no lock; a kill leaves a run that goes on", async () => {
    let isHeld = true;
    const text = "<answer>SELECT COUNT(*) FROM products</answer><prompt>Count.</prompt>";
    await using server = await ChatServer.start((_, n) => (isHeld && n > 6 ? "hang" : { text }));
    const both = [start(...optionsFor(server, "run")), start(...optionsFor(server, "run"))];
    const first = await Promise.race(both.map(({ ended }, i) => ended.then((end) => ({ ...end, i }))));
    expect(first.status).toBe(1);
    expect(first.stderr).toMatch(refusal("run"));
    while (server.asked.length < 7) await sleep(10);
    expect(lse("evolve", "--resume", path("run"))).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(refusal("run")),
    });
    expect(lse(...optionsFor(server, "run")).stderr).toMatch(refusal("run"));
    expect(lse("query", path("run"), "SELECT count(*) FROM answers")).toMatchObject({ status: 0 });
    expect(lse("tree", path("run"))).toMatchObject({ status: 0 });
    const winner = both[1 - first.i] as (typeof both)[0];
    winner.child.kill("SIGKILL");
    await winner.ended;
    expect(existsSync(path("run", LOCK))).toBe(true);
    isHeld = false;
    const resumed = await start("evolve", "--resume", path("run")).ended;
    expect(resumed.status, resumed.stderr).toBe(0);
    expect(existsSync(path("run", LOCK))).toBe(false);
  });

  it("an error and Ctrl-C release it; what paid for nothing can be started anew", async () => {
    let treat: "deny" | "hang" | "answer" = "deny";
    const text = "<answer>SELECT COUNT(*) FROM products</answer><prompt>Count.</prompt>";
    await using server = await ChatServer.start(() =>
      treat === "deny" ? { status: 401 } : treat === "hang" ? "hang" : { text },
    );
    const options = optionsFor(server, "anew");
    const denied = await start(...options).ended;
    expect(denied.stderr).toMatch(/access was denied/);
    expect(readdirSync(path("anew")).sort()).toEqual(["config.json", "events.jsonl"]);
    treat = "hang";
    const interrupted = start(...options);
    while (server.asked.length < 20 && !interrupted.child.killed) {
      await sleep(10);
      if (server.asked.some((_, i) => i > 0) && existsSync(path("anew", LOCK)) && server.asked.length > 4)
        interrupted.child.kill("SIGINT");
    }
    expect((await interrupted.ended).status).toBe(130);
    expect(existsSync(path("anew", LOCK))).toBe(false);
    treat = "answer";
    // With other options than before.
    const again = await start(...options, "--seed", "3").ended;
    expect(again.status, again.stderr).toBe(0);
    expect(JSON.parse(readFileSync(path("anew", "config.json"), "utf8")).evolve.seed).toBe(3);
    expect((await start(...options).ended).stderr).toMatch(/is not empty\. Continue that run/);
  });
});

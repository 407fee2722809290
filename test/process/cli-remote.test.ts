import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { resolveConfig } from "#lse/runs/config.js";
import { type Asked, ChatServer, type Treatment } from "../chat-server.js";
import { besideLse } from "../cli.js";
import { buildTinyBird } from "../tiny-bird/build.js";

const KEY = "sk-secret-0123456789";
const folder = mkdtempSync(join(tmpdir(), "lse-remote-"));
const path = (name: string) => join(folder, name);

beforeAll(() => buildTinyBird(path("data")));
afterAll(() => rmSync(folder, { recursive: true }));

/** Starts the program beside this process, which the service runs in. */
const start = (...options: string[]) => startWith({}, ...options);

const startWith = (variables: Record<string, string>, ...options: string[]) =>
  besideLse({ OPENAI_API_KEY: KEY, ANTHROPIC_API_KEY: KEY, ...variables }, "evolve", ...options);

let edits = 0;
/** Answers with a right query and writes a new rule each time. */
const answer = ({ path: asked, body }: Asked): Treatment =>
  asked.endsWith("/messages")
    ? { text: `<prompt>Rule ${++edits}: read the schema closely.</prompt>` }
    : { text: `<answer>SELECT COUNT(*) FROM products /* ${body.seed} */</answer>` };

const optionsFor = (server: ChatServer, run: string) => [
  "--data",
  path("data"),
  "--db",
  "bakery",
  "--cache",
  path("cache"),
  "--out",
  path(run),
  "--model",
  "openai:small",
  "--base-url",
  `${server.url}/v1`,
  "--price",
  "1000,2000",
  "--parallel",
  "2",
  "--evolver-model",
  "anthropic:large",
  "--evolver-base-url",
  server.url,
  "--evolver-price",
  "3000,4000",
  "--rounds",
  "3",
  "--batch",
  "3",
  "--holdout",
  "4",
  "--test",
  "2",
  "--max-tokens",
  "50",
  "--json",
];

const events = (run: string) =>
  readFileSync(join(path(run), "events.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

/** All files below a folder. */
const filesIn = (of: string): string[] =>
  readdirSync(of, { recursive: true, encoding: "utf8" })
    .map((name) => join(of, name))
    .filter((name) => statSync(name).isFile());

describe("lse evolve with services", () => {
  it("evolves, tells what answers and edits cost, and writes no key", async () => {
    await using server = await ChatServer.start(answer);
    const { status, stdout, stderr } = await start(...optionsFor(server, "whole")).ended;
    expect(status, stderr).toBe(0);
    const result = JSON.parse(stdout);
    // 4 + 3 × (3 + 4) + 2 answers of 100 and 10 tokens, 3 edits of as many.
    expect(result).toMatchObject({ answers: 27, nodes: 4, stop_reason: "all rounds were done" });
    expect(result.cost.answers).toBeCloseTo((27 * (100 * 1000 + 10 * 2000)) / 1e6, 9);
    expect(result.cost.edits).toBeCloseTo((3 * (100 * 3000 + 10 * 4000)) / 1e6, 9);
    expect(server.asked.every(({ headers }) => JSON.stringify(headers).includes(KEY))).toBe(true);
    const files = filesIn(path("whole"));
    expect(files.length).toBeGreaterThanOrEqual(4);
    for (const file of files) expect(readFileSync(file, "utf8")).not.toContain(KEY);
    expect(stderr).not.toContain(KEY);
  });

  it("a killed run asks for nothing that it has", async () => {
    await using server = await ChatServer.start(answer);
    const { child, ended } = start(...optionsFor(server, "killed"));
    while (server.asked.length < 12) await sleep(10);
    child.kill("SIGKILL");
    await ended;
    const kept = events("killed").filter(({ type }) => type === "generation").length;
    expect(kept).toBeGreaterThan(0);
    const before = server.asked.length;
    const { status, stderr } = await start("--resume", path("killed"), "--json").ended;
    expect(status, stderr).toBe(0);
    expect(kept + server.asked.length - before).toBe(27 + 3);
  });

  it("ends with the reason when the service fails for good, keeps what was paid, and goes on later", async () => {
    let isDown = false;
    await using server = await ChatServer.start((asked, n) => {
      isDown ||= n === 9;
      return isDown ? { status: 401, message: `Bad key ${KEY}` } : answer(asked);
    });
    const failed = await start(...optionsFor(server, "down")).ended;
    expect(failed.status).toBe(1);
    expect(failed.stderr).toMatch(/openai:small at http.*access was denied.*OPENAI_API_KEY/s);
    for (const file of filesIn(path("down"))) expect(readFileSync(file, "utf8")).not.toContain(KEY);
    expect(failed.stderr).not.toContain(KEY);
    const kept = events("down").filter(({ type }) => type === "generation").length;
    const answered = server.asked.length - 1;
    expect(answered - kept).toBeLessThanOrEqual(1);
    isDown = false;
    const again = await start("--resume", path("down"), "--json").ended;
    expect(JSON.parse(again.stdout).answers).toBe(27);
  });

  it("shows how long it is told to wait, and an interrupt ends the wait", async () => {
    const headers = { "retry-after": "500" };
    await using server = await ChatServer.start(() => ({
      status: 429,
      headers,
      message: "slow\u001b[2J down",
    }));
    const { child, ended } = start(...optionsFor(server, "waits"));
    let stderr = "";
    child.stderr.on("data", (text) => {
      stderr += text;
    });
    await expect
      .poll(() => stderr, { timeout: 20_000 })
      .toMatch(/asks to wait for 500 s \(429 slow \[2J down\)/);
    child.kill("SIGINT");
    const { status } = await ended;
    expect(status).not.toBe(0);
    expect(stderr).not.toContain("\u001b[2J");
    expect(server.asked.length).toBeLessThanOrEqual(2);
  });

  it.each([
    [
      "a key that cannot be sent",
      { OPENAI_API_KEY: `${KEY}\n${KEY}` },
      [],
      /OPENAI_API_KEY has a blank, a line/,
    ],
    [
      "a password in the base URL",
      {},
      ["--base-url", "http://me:word@127.0.0.1/v1"],
      /base URL has a user, a pass/,
    ],
  ])("refuses %s in one line that does not repeat it", async (_name, variables, options, message) => {
    await using server = await ChatServer.start(answer);
    const { status, stderr } = await startWith(variables, ...optionsFor(server, "secret"), ...options).ended;
    expect(status).toBe(1);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/sk-secret|word@/);
    expect(server.asked).toEqual([]);
    expect(existsSync(path("secret"))).toBe(false);
  });

  it("stops in good order before it costs more, the test paid for", async () => {
    await using server = await ChatServer.start(answer);
    // An answer costs 0.021, an edit 0.041: the seed 0.084, each round 0.188, the test 0.042.
    const prices = ["--price", "10,2000", "--evolver-price", "10,4000"];
    const options = [...optionsFor(server, "thrifty"), ...prices, "--max-cost", "0.65"];
    const { stdout, stderr } = await start(...options).ended;
    const result = JSON.parse(stdout || "{}");
    expect(result.stop_reason, stderr).toMatch(
      /^\$0\.46 of \$0\.65 were spent, and a round with the test costs \$0\.23$/,
    );
    expect(result.test).toMatchObject({ problems: 2 });
    expect(result.cost.answers + result.cost.edits).toBeCloseTo(0.46 + 0.042, 9);
  });

  it("never costs more, and goes on when it may", async () => {
    await using server = await ChatServer.start(answer);
    // Before the seed is scored, an answer could cost more than is left.
    const prices = ["--price", "10,2000", "--evolver-price", "10,4000"];
    const options = [...optionsFor(server, "poor"), ...prices, "--max-cost", "0.16"];
    const { status, stderr } = await start(...options).ended;
    expect(status).toBe(1);
    expect(stderr).toMatch(/limit of \$0\.16 does not allow.*--max-cost/s);
    const { status: after, stdout } = await start("--resume", path("poor"), "--max-cost", "100", "--json")
      .ended;
    expect(after).toBe(0);
    expect(JSON.parse(stdout).answers).toBe(27);
  });

  it("is refused where not even the test can be paid, or a price is missing", async () => {
    await using server = await ChatServer.start(answer);
    const poor = await start(...optionsFor(server, "broke"), "--max-cost", "0.4").ended;
    expect(poor.stderr).toMatch(/^lse: bird\/bakery: \$0\.40 are not enough: .*Raise --max-cost[^\n]*\n$/);
    const without = (flag: string) => {
      const options = optionsFor(server, "unpriced");
      options.splice(options.indexOf(flag), 2);
      return start(...options, "--max-cost", "5").ended;
    };
    expect((await without("--price")).stderr).toMatch(
      /^lse: --max-cost limits nothing: the price of openai:small is not known\. Give --price, [^\n]*\n$/,
    );
    expect((await without("--evolver-price")).stderr).toMatch(
      /anthropic:large is not known\. Give --evolver-price/,
    );
    expect(server.asked).toEqual([]);
    expect([existsSync(path("broke")), existsSync(path("unpriced"))]).toEqual([false, false]);
  });

  it("says beforehand what it can cost", async () => {
    await using server = await ChatServer.start(answer);
    const options = optionsFor(server, "dry").filter((option) => option !== "--json");
    const { stdout } = await start(...options, "--dry-run").ended;
    expect(stdout).toMatch(/3 rounds.*3 edits and 27 answers.*cost +at most \$\d+\.\d\d$/ms);
    expect(server.asked).toEqual([]);
  });
});

it("a run goes on where it has been moved to with its data, from any folder", async () => {
  let isDown = false;
  await using server = await ChatServer.start((asked, n) => {
    isDown ||= n === 9;
    return isDown ? { status: 401 } : answer(asked);
  });
  mkdirSync(path("before"));
  cpSync(path("data"), join(path("before"), "data"), { recursive: true });
  const options = optionsFor(server, join("before", "runs", "moved"));
  options[options.indexOf("--data") + 1] = join(path("before"), "data");
  options[options.indexOf("--cache") + 1] = path("cache");
  expect((await start(...options).ended).stderr).toMatch(/access was denied/);
  mkdirSync(path("deep"));
  renameSync(path("before"), join(path("deep"), "after"));
  const moved = join(path("deep"), "after", "runs", "moved");
  const kept = events(join("deep", "after", "runs", "moved")).filter(
    ({ type }) => type === "generation",
  ).length;
  const config = readFileSync(join(moved, "config.json"), "utf8");
  isDown = false;
  const before = server.asked.length;
  const { status, stdout, stderr } = await start("--resume", relative(process.cwd(), moved), "--json").ended;
  expect(status, stderr).toBe(0);
  expect(JSON.parse(stdout).answers).toBe(27);
  expect(kept + server.asked.length - before).toBe(27 + 3);
  // What lies elsewhere stays where it was.
  expect(resolveConfig(JSON.parse(config), join(moved, "config.json")).task).toMatchObject({
    data: join(path("deep"), "after", "data"),
    cache: path("cache"),
  });
});

describe("what does not go together is refused", () => {
  it.each([
    [["--model", "openai:small", "--threads", "2"], /--threads: a model behind a service/],
    [["--model", "openai:small", "--evolver-adapter", "a.gguf"], /--evolver-adapter: no adapter/],
    [["--model", "openai:small", "--constrain-edits"], /--constrain-edits: a service's model/],
    [["--model", "a.gguf", "--price", "1,2"], /model\.remote: .*a\.gguf is not behind a service/],
    [["--model", "openai:small", "--evolver-price", "1,2"], /evolver\.remote: the evolver is not/],
    [["--model", "openai:small", "--base-url", "nowhere"], /--base-url: /],
    [["--model", "openai:small", "--price", "1"], /--price.*two numbers/s],
  ])("%j", async (options, message) => {
    const { status, stderr } = await start(
      "--data",
      path("data"),
      "--db",
      "bakery",
      ...options,
      "--out",
      path("no"),
    ).ended;
    expect(status).toBe(1);
    expect(stderr).toMatch(message);
  });
});

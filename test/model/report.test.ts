import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RunEvent } from "#lse/journal/journal.js";
import { launchBrowser } from "../browser.js";
import { lse, MAIN } from "../cli.js";

const folder = mkdtempSync(join(tmpdir(), "lse-report-"));
const path = (...names: string[]) => join(folder, ...names);
const models = fileURLToPath(new URL("../../models", import.meta.url));

const OPTIONS = [
  "--task",
  "mini",
  "--db",
  "test/3",
  "--model",
  join(models, "mini.gguf"),
  "--seed",
  "1",
  "--batch",
  "4",
  "--test",
  "10",
  "--gpu-layers",
  "0",
  "--threads",
  "1",
  "--sequences",
  "16",
  "--decode-batch",
  "512",
  "--flash-attention",
];
const METHODS = ["ucb", "chain", "best", "gepa"];
const HOSTILE = '</script><script>window.hacked = 1</script><img src="x" onerror="window.hacked = 1"><!--';

let browser: Browser | null = null;

beforeAll(async () => {
  browser = await launchBrowser();
  const evolve = (out: string, ...more: string[]) => {
    const { status, stderr } = lse("evolve", ...OPTIONS, ...more, "--out", path(out));
    expect(status, stderr).toBe(0);
  };
  evolve("long", "--rounds", "25", "--holdout", "16");
  for (const method of METHODS)
    evolve(join("methods", method), "--rounds", "5", "--holdout", "10", "--spend-all", "--method", method);
}, 180_000);

afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true });
});

const events = (run: string) =>
  readFileSync(path(run, "events.jsonl"), "utf8")
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as RunEvent);

const tree = (run: string) =>
  JSON.parse(readFileSync(path(run, "tree.json"), "utf8")) as {
    nodes: { id: number; parent_id: number | null; instructions: string; performance: number }[];
  };

/** Holdout score of each problem under a node. */
function holdoutScores(run: string, node: number): Map<string, number> {
  const scores = new Map<string, number>();
  for (const event of events(run))
    if (event.type === "answer" && event.phase === "holdout" && event.node === node)
      scores.set(event.problem, event.outcome.score);
  return scores;
}

function report(...options: string[]): string {
  const { status, stdout, stderr } = lse("report", ...options);
  expect(status, stderr).toBe(0);
  return stdout.replace(/ \([\d.]+ MB\)\n$/, "");
}

/** Opens a page; it may say nothing on the console and ask the network for nothing. */
async function open(address: string, options: BrowserContextOptions = {}) {
  const context = await (browser as Browser).newContext({
    viewport: { width: 1200, height: 900 },
    ...options,
  });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("console", (message) => complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("request", (made) => {
    if (!made.url().startsWith(new URL(address).protocol)) complaints.push(made.url());
  });
  await page.goto(address);
  await page.waitForSelector("footer");
  return { page, complaints, close: () => context.close() };
}

const openFile = (file: string, options?: BrowserContextOptions) => open(pathToFileURL(file).href, options);

const shownNode = (page: Page) => page.getAttribute("[data-shown-node]", "data-shown-node");

describe("the report of a run", () => {
  it("draws the tree, and shows a node's instructions, edit and flips", async (context) => {
    if (browser === null) return context.skip();
    const file = report(path("long"));
    expect(file).toBe(path("long", "report.html"));
    const { nodes } = tree("long");
    const { page, complaints, close } = await openFile(file);
    expect(await page.locator('[role="treeitem"]').count()).toBe(nodes.length);
    expect(nodes.length).toBeGreaterThan(15);

    const child = nodes.find(({ id, parent_id }) => {
      const [before, after] = [holdoutScores("long", parent_id ?? 0), holdoutScores("long", id)];
      return parent_id !== null && [...after].some(([problem, score]) => score !== before.get(problem));
    });
    if (child === undefined || child.parent_id === null) throw new Error("no edit changed anything");
    const parent = nodes[child.parent_id];
    await page.locator(`[role="treeitem"][data-node="${child.id}"]`).click();
    expect(await shownNode(page)).toBe(String(child.id));
    expect(await page.locator("pre.instructions").textContent()).toBe(child.instructions);
    const diff = await page.locator("pre.diff").evaluate((pre) => {
      const without = (tag: string) =>
        [...pre.childNodes].filter(({ nodeName }) => nodeName !== tag).map(({ textContent }) => textContent);
      return { before: without("INS").join(""), after: without("DEL").join("") };
    });
    expect(diff).toEqual({ before: parent?.instructions, after: child.instructions });

    const [before, after] = [holdoutScores("long", child.parent_id), holdoutScores("long", child.id)];
    const flips = (sign: number) =>
      [...after]
        .filter(([problem, score]) => sign * (score - (before.get(problem) ?? 0)) > 0)
        .map(([id]) => id);
    for (const [kind, sign] of [["gained", 1] as const, ["lost", -1] as const]) {
      const shown = page.locator(`[data-flips="${kind}"] [data-problem]`);
      const ids = await shown.evaluateAll((all) => all.map((one) => one.getAttribute("data-problem")));
      expect(ids.sort()).toEqual(flips(sign).sort());
    }
    expect(complaints).toEqual([]);
    await close();
  });

  it("can be walked with the keyboard", async (context) => {
    if (browser === null) return context.skip();
    const { nodes } = tree("long");
    const { page, complaints, close } = await openFile(report(path("long")));
    const press = async (key: string, expected: number) => {
      await page.keyboard.press(key);
      await page.waitForSelector(`[data-shown-node="${expected}"]`);
    };
    const best = Number(await shownNode(page));
    expect(nodes[best]?.performance).toBe(Math.max(...nodes.map(({ performance }) => performance)));
    await page.locator('[role="treeitem"][aria-selected="true"]').focus();
    await press("Home", 0);
    const first = nodes.find(({ parent_id }) => parent_id === 0)?.id as number;
    await press("ArrowRight", first);
    await press("ArrowLeft", 0);
    await press("End", best);
    // The focus follows once the page has been drawn anew.
    await page.waitForFunction("document.activeElement?.ariaSelected === 'true'");
    expect(complaints).toEqual([]);
    await close();
  });

  it("finds problems by what became of them and by their words", async (context) => {
    if (browser === null) return context.skip();
    const { nodes } = tree("long");
    const byNode = nodes.map(({ id }) => holdoutScores("long", id));
    const problems = [...(byNode[0]?.keys() ?? [])];
    const flipped = problems.filter((id) => new Set(byNode.map((scores) => scores.get(id))).size > 1);
    const { page, close } = await openFile(report(path("long")));
    const rows = page.locator(".matrix tbody tr");
    expect(await rows.count()).toBe(problems.length);
    expect(await page.locator(".matrix .cell").count()).toBe(problems.length * nodes.length);
    await page.locator("[data-filter]").selectOption("flips");
    expect(await rows.count()).toBe(flipped.length);
    expect(await page.locator("[data-count]").textContent()).toBe(`${flipped.length} of ${problems.length}`);
    await page.locator("[data-filter]").selectOption("all");
    const question = (await rows.first().locator("th").textContent()) as string;
    await page.locator('input[type="search"]').fill(question.toUpperCase());
    expect(await rows.count()).toBeGreaterThanOrEqual(1);
    expect(await rows.count()).toBeLessThan(problems.length);
    await rows.first().locator("button").click();
    expect(await page.locator("[data-opened]").textContent()).toMatch(/Gold\s*SELECT/);
    await close();
  });

  it("says what was spent, and what the cache saved", async (context) => {
    if (browser === null) return context.skip();
    const { page, close } = await openFile(report(path("long")));
    const usages = events("long").flatMap((event) => (event.type === "usage" ? event.models : []));
    const evaluated = usages.reduce((sum, { promptTokensEvaluated }) => sum + promptTokensEvaluated, 0);
    const asked = usages.reduce((sum, { promptTokensAsked }) => sum + promptTokensAsked, 0);
    expect(evaluated).toBeLessThan(asked / 2);
    expect(await page.locator("[data-savings]").textContent()).toContain(
      `${evaluated.toLocaleString("en-US")} of ${asked.toLocaleString("en-US")} prompt tokens were evaluated`,
    );
    await close();
  });

  it("says how each answer came about where several are drawn, and how far they can be trusted", async (context) => {
    if (browser === null) return context.skip();
    cpSync(path("long"), path("drawn"), { recursive: true });
    const config = JSON.parse(readFileSync(path("drawn", "config.json"), "utf8"));
    config.evolve.strategy = { examples: 2, samples: 8 };
    writeFileSync(path("drawn", "config.json"), JSON.stringify(config));
    const [asked, ...examples] = [...holdoutScores("long", 0).keys()].slice(0, 3) as [string, string, string];
    const drawn = events("long").map((event) => {
      if (event.type !== "answer") return event;
      const confidence = event.outcome.correct ? 0.625 : 0.125;
      return { ...event, confidence, ...(event.problem === asked ? { repaired: true, examples } : {}) };
    });
    writeFileSync(path("drawn", "events.jsonl"), drawn.map((event) => `${JSON.stringify(event)}\n`).join(""));
    const { page, complaints, close } = await openFile(report(path("drawn")));
    const { best, problems } = JSON.parse((await page.locator("#data").textContent()) as string).runs[0];
    const texts = new Map<string, string>(problems.map(({ id, question }: never) => [id, question]));

    await page.locator('input[type="search"]').fill(texts.get(asked) as string);
    await page.locator(".matrix tbody button").first().click();
    const opened = page.locator(`[data-opened] [data-problem="${asked}"]`);
    expect(await opened.locator("[data-example]").allTextContents()).toEqual(
      examples.map((id) => `${id}: ${texts.get(id)}`),
    );
    const wasRight = holdoutScores("drawn", best).get(asked) === 1;
    expect(await opened.locator("dt", { hasText: `Node ${best},` }).textContent()).toBe(
      `Node ${best}, ${wasRight ? "100.0 % · 5 of 8 answers agree" : "0.0 % · no other of 8 answers agrees"} · repaired`,
    );

    const rated = events("drawn").flatMap((event) =>
      event.type === "answer" && event.node === best && ["holdout", "test"].includes(event.phase)
        ? [event.outcome.correct]
        : [],
    );
    const right = rated.filter((correct) => correct).length;
    expect(right).toBeLessThan(rated.length);
    const rows = page.locator(".reliability tbody tr");
    expect(await rows.first().innerText()).toMatch(
      new RegExp(`^0–1 of 8\\s${rated.length - right}\\s0\\s0\\.0 % \\[0\\.0–`),
    );
    expect(await rows.last().innerText()).toMatch(
      new RegExp(`^4–5 of 8\\s${right}\\s${right}\\s100\\.0 % \\[.*–100\\.0\\]$`),
    );
    expect(complaints).toEqual([]);
    await close();
  });

  it("says nothing of draws, repairs and examples where there are none", async (context) => {
    if (browser === null) return context.skip();
    const { page, close } = await openFile(report(path("long")));
    await page.locator(".matrix tbody button").first().click();
    expect(await page.locator("[data-opened] dt").allTextContents()).toContainEqual(
      expect.stringMatching(/^Node 0, [\d.]+ %$/),
    );
    expect(await page.locator("[data-examples], .reliability").count()).toBe(0);
    await close();
  });

  it("fits a phone, and is dark where that is wanted", async (context) => {
    if (browser === null) return context.skip();
    const file = report(path("long"));
    const colour = (page: Page) => page.evaluate<string>("getComputedStyle(document.body).backgroundColor");
    const light = await openFile(file, { viewport: { width: 360, height: 700 }, colorScheme: "light" });
    expect(await light.page.evaluate("document.documentElement.scrollWidth")).toBe(360);
    const dark = await openFile(file, { colorScheme: "dark" });
    expect(await colour(dark.page)).not.toBe(await colour(light.page));
    expect([...light.complaints, ...dark.complaints]).toEqual([]);
    await light.close();
    await dark.close();
  });

  it("shows what a model wrote as text, whatever it is", async (context) => {
    if (browser === null) return context.skip();
    cpSync(path("long"), path("hostile"), { recursive: true });
    const saved = tree("hostile");
    const last = saved.nodes.at(-1) as { instructions: string };
    last.instructions = HOSTILE;
    writeFileSync(path("hostile", "tree.json"), JSON.stringify(saved));
    const lines = events("hostile").map((event) => {
      if (event.type === "answer")
        return { ...event, outcome: { ...event.outcome, answer: HOSTILE, error: HOSTILE } };
      return event.type === "node" && event.node === saved.nodes.length - 1
        ? { ...event, instructions: HOSTILE }
        : event;
    });
    writeFileSync(path("hostile", "events.jsonl"), lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    const { page, complaints, close } = await openFile(report(path("hostile")));
    await page.locator('[role="treeitem"]').last().click();
    await page.locator(`[role="treeitem"][data-node="${saved.nodes.length - 1}"]`).click();
    expect(await page.locator("pre.instructions").textContent()).toBe(HOSTILE);
    await page.locator(".matrix tbody button").first().click();
    expect(await page.locator("[data-opened] code").last().textContent()).toBe(HOSTILE);
    expect(await page.evaluate("'hacked' in window")).toBe(false);
    expect(await page.locator("img").count()).toBe(0);
    expect(complaints).toEqual([]);
    await close();
  });

  it("works without the questions where their data has moved away", async (context) => {
    if (browser === null) return context.skip();
    cpSync(path("long"), path("moved"), { recursive: true });
    const config = JSON.parse(readFileSync(path("moved", "config.json"), "utf8"));
    config.task = { name: "bird", data: path("nowhere"), db: "x" };
    writeFileSync(path("moved", "config.json"), JSON.stringify(config));
    expect(lse("report", path("moved")).stderr).toMatch(
      /moved: questions are not shown, .*nowhere: no such file/,
    );
    const { page, complaints, close } = await openFile(path("moved", "report.html"));
    const [first] = holdoutScores("long", 0).keys();
    expect(await page.locator(".matrix tbody th").allTextContents()).toContain(first);
    expect(complaints).toEqual([]);
    await close();
  });

  it("stays small for 25 rounds of 400 answers with long texts", () => {
    mkdirSync(path("large"));
    cpSync(path("long", "config.json"), path("large", "config.json"));
    const instructions = "Rule after rule. ".repeat(200);
    const nodes = Array.from({ length: 26 }, (_, id) => ({
      id,
      parent_id: id === 0 ? null : id - 1,
      visits: 1,
      performance: 0.5,
      instructions: `${id} ${instructions}`,
    }));
    writeFileSync(path("large", "tree.json"), JSON.stringify({ format_version: 1, root_id: 0, nodes }));
    const lines: object[] = [];
    for (const { id } of nodes) {
      lines.push({
        type: "node",
        key: `${id}`,
        node: id,
        parent: id - 1,
        round: id,
        score: 0.5,
        standardError: 0.1,
      });
      for (let i = 0; i < 400; i++) {
        const answer = `SELECT ${id} FROM t WHERE x = ${i} ${"AND y IS NOT NULL ".repeat(30)}`;
        const outcome = {
          score: i % 2,
          correct: i % 2 === 1,
          answer,
          error: i % 2 === 1 ? null : `no ${answer}`,
        };
        lines.push({
          type: "answer",
          key: `${id}/${i}`,
          node: id,
          phase: "holdout",
          round: id,
          problem: `p${i % 50}`,
          sample: Math.floor(i / 50),
          outcome,
          promptTokens: 900,
          tokens: 200,
        });
      }
    }
    writeFileSync(path("large", "events.jsonl"), lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    expect(statSync(report(path("large"))).size).toBeLessThan(5e6);
  });
});

describe("the report of several runs", () => {
  it("compares four methods with paired differences", async (context) => {
    if (browser === null) return context.skip();
    const file = report(path("methods"), "--out", path("methods.html"));
    const compared = JSON.parse(lse("compare", path("methods"), "--json").stdout);
    const { page, complaints, close } = await openFile(file);
    const table = (selector: string) =>
      page
        .locator(`${selector} tbody tr`)
        .evaluateAll((rows) => rows.map((row) => [...row.children].map(({ textContent }) => textContent)));
    const percent = (value: number) => (100 * value).toFixed(1);
    const methods = await table("header table.numbers:not([data-differences])");
    expect(methods).toEqual(
      compared.methods.map(({ method, honest, paper, answers }: never) => {
        const text = ({ mean, low, high }: { mean: number; low: number; high: number }) =>
          `${percent(mean)} % [${percent(low)}–${percent(high)}]`;
        return [method, text(honest), text(paper), Number(answers).toFixed(0)];
      }),
    );
    expect(methods).toHaveLength(4);
    expect(await table("[data-differences]")).toHaveLength(6);
    expect(await page.locator(".chart svg").count()).toBeGreaterThanOrEqual(3);
    await page.locator(".choice select").selectOption({ index: 1 });
    expect(await page.locator("h2.run").textContent()).toBe("chain");
    expect(await page.locator('[role="treeitem"]').count()).toBe(tree("methods/chain").nodes.length);
    expect(complaints).toEqual([]);
    await close();
  });

  it("draws the curve of a training", async (context) => {
    if (browser === null) return context.skip();
    mkdirSync(path("training"));
    cpSync(join(models, "mini-lse-curve.jsonl"), path("training", "curve.jsonl"));
    const { page, complaints, close } = await openFile(
      report(path("training"), "--out", path("training.html")),
    );
    expect(await page.locator("h2").textContent()).toBe("Training training");
    expect(await page.locator(".chart svg circle").count()).toBeGreaterThan(2);
    expect(complaints).toEqual([]);
    await close();
  });

  it("says where there is no run", () => {
    mkdirSync(path("empty"));
    expect(lse("report", path("empty"))).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/no run here/),
    });
  });
});

describe("lse watch", () => {
  it("follows a run that goes on, for this machine alone", async (context) => {
    if (browser === null) return context.skip();
    cpSync(path("long"), path("going"), { recursive: true });
    const whole = readFileSync(path("long", "events.jsonl"), "utf8");
    const half = whole.slice(0, whole.indexOf('"type":"node","key":"3"') + 10);
    writeFileSync(path("going", "events.jsonl"), half);
    rmSync(path("going", "tree.json"));
    const server = spawn(process.execPath, [MAIN, "watch", path("going")], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    try {
      const [line] = (await once(server.stdout, "data")) as [Buffer];
      const address = /^(http:\/\/127\.0\.0\.1:\d+)/.exec(String(line))?.[1] as string;
      const { page, complaints, close } = await open(address);
      expect(await page.locator('[role="treeitem"]').count()).toBe(3);
      expect(await page.locator(".state").textContent()).toBe("not over yet");
      await page.locator('[role="treeitem"][data-node="1"]').click();

      appendFileSync(path("going", "events.jsonl"), whole.slice(half.length));
      cpSync(path("long", "tree.json"), path("going", "tree.json"));
      await page.locator(".state", { hasText: /^ended/ }).waitFor();
      expect(await page.locator('[role="treeitem"]').count()).toBe(tree("long").nodes.length);
      expect(await shownNode(page)).toBe("1");
      expect(complaints).toEqual([]);
      await close();

      const first = await fetch(`${address}/data.json`);
      const etag = first.headers.get("etag") as string;
      expect((await fetch(`${address}/data.json`, { headers: { "If-None-Match": etag } })).status).toBe(304);
      expect((await fetch(`${address}/events.jsonl`)).status).toBe(404);
      expect(await statusFor(address, "evil.example")).toBe(403);
    } finally {
      server.kill("SIGINT");
      await once(server, "exit");
    }
  });
});

/** What is answered to someone who takes this machine for another. */
function statusFor(address: string, host: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    request(`${address}/data.json`, { headers: { Host: host } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .on("error", reject)
      .end();
  });
}

/**
 * Draws docs/strategies.png, the score of each way of answering against the seconds that a question takes; and
 * docs/strategies-solved.png, the score against the number of solved questions that there are.
 *
 *   npm run reproduce:picture
 */
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { readJson } from "#lse/lib/json-file.js";
import { mean, wilson } from "#lse/lib/statistics.js";
import { launchBrowser } from "../../test/browser.js";
import { WAYS } from "./cells.js";
import { type CellRow, groupBy, type Results } from "./results.js";

const at = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const { cells } = readJson(at("bench/results/real-strategies.json")) as Results;

/** Superhero's questions beside those that are asked. */
const SUPERHERO_SOLVED = 69;

/** A way of answering with a model, over the databases that it was measured on. */
interface Point {
  readonly model: string;
  readonly strategy: string;
  readonly seconds: number;
  readonly score: number;
  readonly low: number;
  readonly high: number;
}

const databases = new Set(cells.map(({ database }) => database)).size;
const groups = groupBy(cells, ({ model, strategy }) => `${model} ${strategy}`);
const points = [...groups.values()]
  .filter((own) => own.length === databases)
  .map((own): Point => {
    const [{ model, strategy }] = own as [CellRow, ...CellRow[]];
    const questions = own.reduce((sum, { n }) => sum + n, 0);
    const score = mean(own.map(({ right, n }) => right / n));
    const { low, high } = wilson(score * questions, questions);
    return {
      model,
      strategy,
      score,
      low,
      high,
      seconds: own.reduce((sum, { seconds }) => sum + seconds, 0) / questions,
    };
  });

const { outputFiles } = await build({
  stdin: { contents: 'export * from "@observablehq/plot"', resolveDir: at(".") },
  bundle: true,
  format: "iife",
  globalName: "Plot",
  write: false,
});
const browser = await launchBrowser();
if (browser === null) process.exit();
for (const [name, height, drawing, data] of [
  ["strategies", 560, draw, points],
  ["strategies-solved", 380, drawSolved, solvedPoints()],
] as const) {
  if (data.length === 0) continue;
  const page = await browser.newPage({ viewport: { width: 900, height } });
  await page.setContent('<body style="margin: 12px; background: white"></body>');
  await page.addScriptTag({ content: outputFiles[0]?.text ?? "" });
  // tsx wraps functions in it, to keep their names.
  await page.evaluate("globalThis.__name = (value) => value");
  await page.evaluate(drawing as never, data as never);
  await page.screenshot({ path: at(`docs/${name}.png`) });
  await page.close();
}
await browser.close();

/** A number of solved questions, and the score with four of them in each prompt. */
interface SolvedPoint {
  readonly solved: number;
  readonly score: number;
  readonly low: number;
  readonly high: number;
}

/** On the database that all these ways were measured on. */
function solvedPoints(): SolvedPoint[] {
  const [all, none] = ["4 examples, joins", "no examples, joins"];
  return Object.entries(WAYS).flatMap(([name, { solved, withTwins }]) => {
    const isOne = name === none || name === all || (solved !== undefined && withTwins === undefined);
    const cell = cells.find(
      ({ database, model, strategy }) =>
        database === "superhero" && model === "qwen2.5-coder-1.5b" && strategy === name,
    );
    if (!isOne || cell === undefined) return [];
    const { score, low, high } = cell;
    return [{ solved: name === none ? 0 : (solved ?? SUPERHERO_SOLVED), score, low, high }];
  });
}

/** Runs in the page. */
function drawSolved(points: readonly SolvedPoint[]): void {
  // biome-ignore lint/suspicious/noExplicitAny: the page's own variable
  const { Plot, document } = globalThis as any;
  const place = { x: "solved", y: "score" };
  document.body.append(
    Plot.plot({
      ...{ width: 876, height: 356, marginLeft: 50, marginBottom: 44, style: { fontSize: "13px" } },
      x: {
        label: "solved questions that there are →",
        ticks: points.map(({ solved }) => solved),
        domain: [0, 72],
      },
      y: {
        label: "↑ questions answered right, % (bars: 95 % intervals)",
        grid: true,
        domain: [0, 100],
        transform: (value: number) => 100 * value,
      },
      marks: [
        Plot.ruleX(points, { x: "solved", y1: "low", y2: "high", stroke: "steelblue", strokeOpacity: 0.5 }),
        Plot.line(points, { ...place, stroke: "steelblue", sort: "solved" }),
        Plot.dot(points, { ...place, fill: "steelblue", r: 5 }),
      ],
    }),
  );
}

/** Runs in the page. */
function draw(points: readonly Point[]): void {
  // biome-ignore lint/suspicious/noExplicitAny: the page's own variable
  const { Plot, document } = globalThis as any;
  /** Whether a label to the right of a point would run into another point. */
  const isCrowded = ({ seconds, score }: Point) =>
    points.some(
      (other) =>
        other.seconds > seconds && other.seconds < 1.6 * seconds && Math.abs(other.score - score) < 0.03,
    );
  const label = (points: readonly Point[], side: object) =>
    Plot.text(points, { x: "seconds", y: "score", text: "strategy", ...side });
  document.body.append(
    Plot.plot({
      ...{
        width: 876,
        height: 536,
        marginLeft: 50,
        marginRight: 190,
        marginBottom: 44,
        style: { fontSize: "13px" },
      },
      x: {
        type: "log",
        label: "seconds a question, two cores →",
        tickFormat: (value: number) => String(value),
      },
      y: {
        label: "↑ questions answered right, % (bars: 95 % intervals)",
        grid: true,
        transform: (value: number) => 100 * value,
      },
      color: { legend: true },
      marks: [
        Plot.ruleX(points, { x: "seconds", y1: "low", y2: "high", stroke: "model", strokeOpacity: 0.5 }),
        Plot.dot(points, { x: "seconds", y: "score", fill: "model", r: 5 }),
        label(
          points.filter((point) => !isCrowded(point)),
          { dx: 8, textAnchor: "start" },
        ),
        label(points.filter(isCrowded), { dx: -8, textAnchor: "end" }),
      ],
    }),
  );
}

/** Curves: scores by round, the best so far of several runs, rewards of a training. */
import * as Plot from "@observablehq/plot";
import { useEffect, useRef } from "preact/hooks";
import type { RunData, TrainingData } from "../types.js";
import { percent, scored } from "./format.js";

const HEIGHT = 260;
/** Width that a number on the axis wants. */
const TICK = 40;

/** A drawing of Plot's, as wide as there is room. */
export function Chart({ options, label }: { options: (width: number) => Plot.PlotOptions; label: string }) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    const draw = () => {
      const width = Math.max(280, element.clientWidth);
      element.replaceChildren(
        Plot.plot({ height: HEIGHT, marginLeft: 48, ...options(width), width, ariaLabel: label }),
      );
    };
    draw();
    const observer = new ResizeObserver(draw);
    observer.observe(element);
    return () => observer.disconnect();
  });
  return <div class="chart" ref={place} />;
}

export function RoundScores({ run, selected }: { run: RunData; selected: number }) {
  const nodes = run.nodes.flatMap((node) => (node.score === null ? [] : [{ ...node, score: node.score }]));
  const best = bestSoFar(run);
  return (
    <section aria-labelledby="rounds-title">
      <h2 id="rounds-title">Scores by round</h2>
      <Chart
        label="Holdout score of each round's node, and the best so far"
        options={(width) => ({
          x: { label: "round", ticks: Math.min(run.nodes.length, width / TICK), tickFormat: "d" },
          y: { label: "score on the holdout, %", grid: true, percent: true, nice: true },
          marks: [
            Plot.ruleY([nodes[0]?.score ?? 0], { stroke: "var(--muted)", strokeDasharray: "4 3" }),
            Plot.line(best, {
              x: "round",
              y: "score",
              curve: "step-after",
              stroke: "var(--accent)",
              strokeWidth: 2,
            }),
            Plot.ruleX(nodes, {
              x: "round",
              y1: (node) => node.score - (node.standardError ?? 0),
              y2: (node) => node.score + (node.standardError ?? 0),
              stroke: "var(--muted)",
              strokeOpacity: 0.6,
            }),
            Plot.dot(nodes, {
              x: "round",
              y: "score",
              r: 4,
              stroke: "var(--ink)",
              strokeWidth: 1,
              fill: (node) => (node.id === selected ? "var(--accent)" : "var(--paper)"),
              title: (node) => `node ${node.id}: ${scored(node)}`,
            }),
          ],
        })}
      />
      <p class="legend">
        Dots are nodes with their standard errors; the line is the best so far; dashed: the seed instructions.
      </p>
    </section>
  );
}

/** After each round, of a run. */
function bestSoFar({ name, nodes }: RunData): { name: string; round: number; score: number }[] {
  let best = Number.NEGATIVE_INFINITY;
  return nodes.map(({ round, score }) => {
    best = Math.max(best, score ?? best);
    return { name, round, score: best };
  });
}

export function BestByRound({ runs }: { runs: readonly RunData[] }) {
  const lines = runs.flatMap(bestSoFar).filter(({ score }) => Number.isFinite(score));
  return (
    <section aria-labelledby="best-title">
      <h2 id="best-title">The best so far, by round</h2>
      <Chart
        label="Best holdout score so far by round, one line for each run"
        options={(width) => ({
          x: { label: "round", ticks: Math.min(lines.length, width / TICK), tickFormat: "d" },
          y: { label: "best score on the holdout, %", grid: true, percent: true },
          color: { legend: true, scheme: "observable10", domain: runs.map(({ name }) => name) },
          marks: [
            Plot.line(lines, {
              x: "round",
              y: "score",
              stroke: "name",
              curve: "step-after",
              strokeWidth: 2,
            }),
          ],
        })}
      />
    </section>
  );
}

export function TrainingCurve({ training: { name, points } }: { training: TrainingData }) {
  const of = (kind: string) => points.filter((point) => point.kind === kind);
  const last = of("validation").at(-1);
  return (
    <section aria-labelledby={`training-${name}`}>
      <h2 id={`training-${name}`}>Training {name}</h2>
      <Chart
        label="Mean reward of an edit by update, on training and validation nodes"
        options={() => ({
          x: { label: "update", tickFormat: "d" },
          y: { label: "reward of an edit", grid: true },
          marks: [
            Plot.ruleY([0], { stroke: "var(--muted)" }),
            Plot.line(of("update"), { x: "step", y: "reward", stroke: "var(--muted)", strokeOpacity: 0.7 }),
            Plot.ruleX(
              of("validation").filter(({ low }) => low !== null),
              { x: "step", y1: "low", y2: "high", stroke: "var(--accent)" },
            ),
            Plot.line(of("validation"), { x: "step", y: "reward", stroke: "var(--accent)", strokeWidth: 2 }),
            Plot.dot(of("validation"), { x: "step", y: "reward", fill: "var(--accent)" }),
          ],
        })}
      />
      <p class="legend">
        Grey: nodes of each update; coloured, with 95 % intervals: validation nodes
        {last === undefined ? "" : ` (${percent(last.reward)} after update ${last.step})`}.
      </p>
    </section>
  );
}

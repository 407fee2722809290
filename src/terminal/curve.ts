/** The course of a training, drawn in a terminal. */
import plot from "simple-ascii-chart";
import type { LearnPoint } from "../train/rl/learn.js";

const WIDTH = 61;
const HEIGHT = 14;
const TRAINING = "·";
const VALIDATION = "●";

/** Mean reward of an edit, by update: of the nodes it learnt from, and of validation nodes. */
export function drawCurve(points: readonly LearnPoint[]): string {
  const of = (kind: LearnPoint["kind"]) =>
    points.filter((point) => point.kind === kind).map(({ step, reward }): [number, number] => [step, reward]);
  const [training, validation] = [of("update"), of("validation")];
  if (training.length === 0) return "no update yet";
  const chart = plot([training, validation], {
    width: WIDTH,
    height: HEIGHT,
    customXAxisTicks: validation.map(([step]) => step),
    formatter: (value, { axis }) => (axis === "y" ? value.toFixed(2) : value),
    lineFormatter: ({ x, y, plotX, plotY }) => ({
      x: plotX,
      y: plotY,
      symbol: validation.some(([step, reward]) => step === x && reward === y) ? VALIDATION : TRAINING,
    }),
  });
  const key = `reward of an edit: ${TRAINING} nodes of the update, ${VALIDATION} validation nodes; across: updates`;
  return `${chart.replace(/^\n/, "").trimEnd()}\n${key}`;
}

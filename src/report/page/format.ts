/** Numbers and texts as the page writes them. */
import type { Interval } from "../../lib/statistics.js";
import type { NodeData, RunData } from "../types.js";

export const percent = (value: number | null): string =>
  value === null ? "not scored" : `${(100 * value).toFixed(1)} %`;

export const points = (difference: number): string =>
  `${difference < 0 ? "−" : "+"}${(100 * Math.abs(difference)).toFixed(1)}`;

export const counted = (value: number): string => value.toLocaleString("en-US");

export function seconds(value: number): string {
  if (value < 60) return `${value.toFixed(1)} s`;
  if (value < 3600) return `${Math.floor(value / 60)} min ${Math.round(value % 60)} s`;
  return `${Math.floor(value / 3600)} h ${Math.floor((value % 3600) / 60)} min`;
}

export const interval = ({ mean, low, high }: Interval): string =>
  `${percent(mean)} [${(100 * low).toFixed(1)}–${(100 * high).toFixed(1)}]`;

export const scored = ({ score, standardError }: NodeData): string =>
  standardError === null ? percent(score) : `${percent(score)} ± ${(100 * standardError).toFixed(1)}`;

/** How many of the draws agree with the answer that was taken. */
export function agreement(confidence: number, draws: number): string {
  const agreeing = Math.round(confidence * draws);
  if (agreeing === 0) return `none of ${draws} answers could be used`;
  return agreeing === 1 ? `no other of ${draws} answers agrees` : `${agreeing} of ${draws} answers agree`;
}

/** From the seed instructions to a node. */
export function pathTo(run: RunData, id: number): NodeData[] {
  const path: NodeData[] = [];
  for (let node = run.nodes[id]; node !== undefined; ) {
    path.unshift(node);
    node = node.parent === null ? undefined : run.nodes[node.parent];
  }
  return path;
}

/** Where a node's score lies on the scale of colours, from 0 to 1: between the run's lowest and highest. */
export function place(run: RunData, score: number | null): number | null {
  if (score === null) return null;
  const known = run.nodes.flatMap((node) => (node.score === null ? [] : [node.score]));
  const [low, high] = [Math.min(...known), Math.max(...known)];
  return high === low ? 0.5 : (score - low) / (high - low);
}

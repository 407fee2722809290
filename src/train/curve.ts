/** curve.jsonl: the course of a training. */
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { z } from "zod";
import { checked, parseJson } from "../lib/json-file.js";

/** What every point has. */
const pointSchema = z.looseObject({ step: z.int().min(0) });

/** Its name in the folder of a training. */
export const CURVE = "curve.jsonl";

/**
 * The course of a training, a JSON object a line. Lines are written before each checkpoint; those after the
 * checkpoint that training goes on from are dropped.
 */
export class Curve<Point extends { readonly step: number }> {
  #lines: string[] = [];

  constructor(
    private readonly path: string,
    startStep: number,
  ) {
    const kept = readCurve<Point>(path).filter(({ step }) => step <= startStep);
    if (existsSync(path)) writeFileSync(path, kept.map((point) => `${JSON.stringify(point)}\n`).join(""));
  }

  add(point: Point): void {
    this.#lines.push(`${JSON.stringify(point)}\n`);
  }

  write(): void {
    appendFileSync(this.path, this.#lines.join(""));
    this.#lines = [];
  }
}

/** The whole lines of a curve; none where there is no file. @throws LseError naming a line that is no point */
export function readCurve<Point>(path: string): Point[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, "utf8").split("\n").slice(0, -1);
  return lines.map((line, i) => {
    const origin = `${path}: line ${i + 1}`;
    const next = "Restore the file from a copy, or delete that line";
    return checked(pointSchema, parseJson(line, origin), origin, next) as unknown as Point;
  });
}

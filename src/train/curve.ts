/** curve.jsonl: the course of a training. */
import { appendFileSync, existsSync } from "node:fs";
import { LseError } from "../errors.js";
import { replaceFile } from "../lib/files.js";
import { parseJson } from "../lib/json-file.js";
import { type LogFormat, readLog } from "../lib/json-lines.js";

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
    if (existsSync(path)) replaceFile(path, kept.map((point) => `${JSON.stringify(point)}\n`).join(""));
  }

  add(point: Point): void {
    this.#lines.push(`${JSON.stringify(point)}\n`);
  }

  write(): void {
    appendFileSync(this.path, this.#lines.join(""));
    this.#lines = [];
  }
}

/**
 * The whole lines of a curve; none where there is no file.
 * @throws LseError for a file that is no curve
 */
export function readCurve<Point>(path: string): Point[] {
  return readLog(path, FORMAT).lines.map((line, i) => {
    const point = parseJson(line.toString(), `${path}: line ${i + 1}`);
    if (FORMAT.isRecord(point)) return point as Point;
    throw new LseError(`${path}: line ${i + 1} is no step of a training`, "Give another folder");
  });
}

const FORMAT: LogFormat = {
  what: "the course of a training",
  begins: ['{"step":', '{"kind":"update","step":', '{"kind":"validation","step":'],
  isRecord: (value) => typeof (value as { step?: unknown } | null)?.step === "number",
};

/** The three parts of the miniature world (train, dev, test), and the addresses of its databases. */
import { LseError } from "../errors.js";
import { nearest } from "../lib/nearest.js";
import { deriveSeed } from "../lib/random.js";
import { DOMAINS } from "./vocabulary.js";

/** Which part of the world a database belongs to. The parts share words and nothing else. */
export const SPLITS = ["train", "dev", "test"] as const;
export type MiniSplit = (typeof SPLITS)[number];

/** A database of the world, such as `test/3`. */
export interface MiniAddress {
  readonly split: MiniSplit;
  readonly seed: number;
}

/** Reads `test/3`, `dev/0`, `train/17`; a number alone is a test database. @throws LseError */
export function parseAddress(text: string): MiniAddress {
  const [, split = "test", digits = ""] = /^(?:(train|dev|test)\/)?(\d{1,9})$/.exec(text) ?? [];
  if (digits === "") {
    const [, wrong = "", seed = "3"] = /^([^/]*)\/(\d+)?/.exec(text) ?? [];
    const meant = wrong === "" ? "" : `Did you mean ${nearest(wrong, SPLITS)}/${seed}? `;
    throw new LseError(
      `"${text}" is not a database of the miniature world`,
      `${meant}Give its seed, such as 3, or split and seed: test/3, dev/0, train/17`,
    );
  }
  return { split: split as MiniSplit, seed: Number(digits) };
}

export const addressText = ({ split, seed }: MiniAddress): string => `${split}/${seed}`;

/**
 * Six domains are development's and ten are test's, whole. Training has no domain of its own: its databases mix
 * tables of different domains, so that every word is trained, and no two tables that meet in one part of the
 * world meet in another.
 */
export const DOMAINS_OF: Readonly<Record<Exclude<MiniSplit, "train">, typeof DOMAINS>> = {
  dev: DOMAINS.filter((_, i) => i % 8 >= 5),
  test: DOMAINS.filter((_, i) => i % 8 < 5),
};

const known = new Map<string, MiniSplit>();

/**
 * The part of the world in which a term may have to do with a column (or, where the term is a column itself,
 * with a factor): what a model saw of a term in training never helps on test databases.
 */
export function splitOfMeaning(term: string, column: string): MiniSplit {
  const key = `${term} ${column}`;
  let split = known.get(key);
  if (split === undefined) {
    const share = deriveSeed("mini meaning", term, column) % 8;
    split = share === 0 ? "dev" : share <= 2 ? "test" : "train";
    known.set(key, split);
  }
  return split;
}

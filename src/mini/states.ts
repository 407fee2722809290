/** Instructions to start from, at several stages: no rules, half of them, some false ones, all. */
import type { MiniDatabase } from "./database.js";
import type { Draw } from "./draw.js";
import type { Rule } from "./rules.js";
import { ADJECTIVES, CODES, LARGEST_THRESHOLD, LETTERS } from "./vocabulary.js";

/** How complete instructions are. The rules of "half" and "partial" are true, but some are missing. */
export type State = "none" | "half" | "partial" | "wrong" | "complete";

/** True rules of a database in random order, as many as the state has; "wrong" has some false ones too. */
export function rulesInState(database: MiniDatabase, state: State, draw: Draw): Rule[] {
  const all = draw.shuffled(database.conventions).map(({ term, meaning }) => ({ term, meaning }));
  switch (state) {
    case "none":
      return [];
    case "complete":
      return all;
    case "half":
      return all.slice(0, Math.ceil(all.length / 2));
    case "partial":
      return all.slice(0, draw.integer(1, all.length - 1));
    case "wrong":
      return falsified(all.slice(0, draw.integer(1, all.length)), database, draw);
  }
}

/** Gives one or two rules another meaning or another term, or adds a rule that has nothing to do with the database. */
function falsified(rules: readonly Rule[], { conventions }: MiniDatabase, draw: Draw): Rule[] {
  const result = [...rules];
  for (let count = draw.integer(1, 2); count > 0; count--) {
    const at = draw.integer(0, result.length - 1);
    const rule = result[at] as Rule;
    const absent = conventions.filter(({ term }) => result.every((other) => other.term !== term));
    switch (draw.weighted([3, 3, absent.length > 0 ? 2 : 0, 1])) {
      case 0:
        result[at] = { ...rule, meaning: falseCondition(draw) };
        break;
      case 1:
        result[at] = { ...rule, meaning: draw.pick(conventions).meaning };
        break;
      case 2:
        result[at] = { ...rule, term: draw.pick(absent).term };
        break;
      default: {
        const foreign = ADJECTIVES.filter((term) => conventions.every((other) => other.term !== term));
        result.splice(at, 0, { term: draw.pick(foreign), meaning: falseCondition(draw) });
      }
    }
  }
  return result;
}

function falseCondition(draw: Draw): string {
  return draw.chance(0.5)
    ? `${draw.pick(CODES)} = ${draw.pick(LETTERS)}`
    : `${draw.pick(CODES)} ${draw.pick([">=", "<="])} ${draw.integer(1, LARGEST_THRESHOLD)}`;
}

/** Changes of single rules in the words of the miniature world: their prompt, their text, and what they make of a list. */
/*
 * A rule is named by its term, which it shares with no other. So the prompt needs no numbers, which would look like those
 * in the rules.
 */
import type { DeltaForm } from "../task.js";
import { changedRules, type RuleChange } from "./edits.js";
import { evolverPrompt } from "./prompts.js";
import { meanings, parseRules, type Rule, rulesText } from "./rules.js";

/** The completion that makes these changes: `<add> old means age >= 12 </add> <delete> late </delete>`. */
export function deltaText(rules: readonly Rule[], changes: readonly RuleChange[]): string {
  const current = meanings(rules);
  return changes
    .map(({ term, meaning }) => {
      if (meaning === null) return `<delete> ${term} </delete>`;
      const tag = current.has(term) ? "replace" : "add";
      return `<${tag}> ${term} means ${meaning} </${tag}>`;
    })
    .join(" ");
}

/** A change ends with its own tag; one that another tag interrupts is none. */
const CHANGE = /<(add|replace|delete)>((?:(?!<\/?(?:add|replace|delete)>)[\s\S])*)<\/\1>/g;

/**
 * How evolvers of the miniature world change single rules. They see what a rewrite would see, after the word `delta`, and
 * may change as many rules as a batch teaches. A rule that is added for a term that has one takes its place, as
 * everywhere in this world; only what is there can be replaced or deleted.
 */
export const MINI_DELTAS: DeltaForm = {
  prompt: (instructions, reports) => `delta ${evolverPrompt(instructions, reports)}`,

  apply(instructions, answer) {
    const rules = parseRules(instructions);
    const current = meanings(rules);
    const changes: RuleChange[] = [];
    for (const [, tag, content = ""] of answer.matchAll(CHANGE)) {
      const said = content.trim();
      const [change, ...others] = tag === "delete" ? [{ term: said, meaning: null }] : parseRules(said);
      if (change === undefined || others.length > 0) return { refused: `"${said}" is not one rule` };
      if (tag !== "add" && !current.has(change.term))
        return { refused: `there is no rule for "${change.term}"` };
      changes.push(change);
    }
    if (changes.length === 0) return null;
    const changed = rulesText(changedRules(rules, changes));
    return { instructions: changed === rulesText(rules) ? instructions : changed };
  },

  grammar: `root ::= (" " change)+
change ::= "<add> " rule " </add>" | "<replace> " rule " </replace>" | "<delete> " word " </delete>"
rule ::= word " means" (" " word){1,6}
word ::= [a-zA-Z0-9_'(),!=>*/+-]{1,16} | "<" "="?`,
};

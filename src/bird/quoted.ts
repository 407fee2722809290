/** Finds in a text what belongs to a single problem: a manual must help with new questions, not repeat known ones. */
import type { BirdQuestion } from "./dataset.js";

/** Words of a question or query that make it one of a kind; shorter ones may come by chance. */
const LEAST_WORDS = 4;
/** Characters of a value that is looked for; a single word such as "name" may mean anything. */
const LEAST_VALUE = 4;

const VALUE = /'((?:[^']|'')*)'/g;

/** What single problems consist of, to be looked for in rules. */
export class Quotes {
  readonly #problems: readonly { readonly id: string; readonly question: string; readonly sql: string }[];
  /** Values that the gold query of one problem alone has, with the problem. */
  readonly #rare: ReadonlyMap<string, string>;

  constructor(questions: readonly Pick<BirdQuestion, "id" | "question" | "sql">[]) {
    this.#problems = questions.map(({ id, question, sql }) => ({
      id,
      question: words(question),
      sql: words(sql),
    }));
    const texts = this.#problems.map(({ id, question, sql }) => ({ id, text: ` ${question} ${sql} ` }));
    const rare = new Map<string, string>();
    for (const { id, sql } of questions)
      for (const [, value = ""] of sql.matchAll(VALUE)) {
        const name = words(value.replaceAll("''", "'"));
        const isOneWord = !name.includes(" ") && !(/\d/.test(name) && /\p{L}/u.test(name));
        if (name.length < LEAST_VALUE || isOneWord) continue;
        if (texts.every((other) => other.id === id || !other.text.includes(` ${name} `))) rare.set(name, id);
      }
    this.#rare = rare;
  }

  /** What a text quotes, such as `a value of problem 752 alone: "hunter zolomon"`; null if it quotes nothing. */
  in(text: string): string | null {
    const own = ` ${words(text)} `;
    const has = (part: string) => own.includes(` ${part} `);
    for (const { id, question, sql } of this.#problems) {
      if (isLong(question) && has(question)) return `the question of problem ${id}`;
      if (isLong(sql) && has(sql)) return `the gold query of problem ${id}`;
    }
    for (const [value, id] of this.#rare) if (has(value)) return `a value of problem ${id} alone: "${value}"`;
    return null;
  }
}

/** In lower case, with one space between them and no punctuation. */
const words = (text: string): string => (text.toLowerCase().match(/[\p{L}\p{N}_]+/gu) ?? []).join(" ");

const isLong = (text: string) => text.split(" ").length >= LEAST_WORDS;

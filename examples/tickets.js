// @ts-check
/**
 * A task outside SQL: to which desk a customer's message goes. A shop has its own ways, which no model can guess: the
 * instructions have to learn them from what went wrong. A message that goes to the wrong desk but is marked urgent
 * when it is urgent gets half the score.
 *
 *   npx lse validate --task ./examples/tickets.js
 *   npx lse evolve --task ./examples/tickets.js --model model.gguf --rounds 8 --holdout 16 --out runs/tickets
 */
import { extractTag } from "lse";

/** What only the shop knows: words, and the desk they lead to. */
const WAYS = {
  gift: "front",
  refund: "till",
  broken: "workshop",
  late: "yard",
  invoice: "office",
  colour: "studio",
};
const THINGS = ["lamp", "chair", "table", "shelf", "mirror", "carpet", "sofa", "stool"];
const PHRASES = [
  (thing, word) => `Hello, about my ${thing}: ${word}. What now?`,
  (thing, word) => `My ${thing} again, it is about ${word}! I need help today.`,
];

const SYSTEM = `You sort the messages of a shop's customers. Desks: ${[...new Set(Object.values(WAYS))].join(", ")}.`;
const FORM =
  "Answer with the desk, and with the word urgent where the customer needs help today, in <answer> tags.";

/** @param {string} instructions */
const systemPrompt = (instructions) => `${SYSTEM}\n\n# Instructions\n${instructions}\n\n${FORM}`;

/** Every message with what is right for it. */
const MESSAGES = new Map(
  Object.entries(WAYS).flatMap(([word, desk]) =>
    THINGS.flatMap((thing) =>
      PHRASES.map((phrase, i) => {
        const text = phrase(thing, word);
        return [`${word}-${thing}-${i}`, { text, desk, isUrgent: text.includes("today") }];
      }),
    ),
  ),
);

const message = (id) => MESSAGES.get(id) ?? { text: "", desk: "", isUrgent: false };

/** @type {import("lse").TaskFactory} */
export default function tickets({ things = "8" }) {
  const shown = THINGS.slice(0, Number(things));
  const ids = [...MESSAGES.keys()].filter((id) => shown.includes(id.split("-")[1] ?? ""));
  const right = (id) => `${message(id).desk}${message(id).isUrgent ? " urgent" : ""}`;

  /** @param {string} id @param {string} answer */
  function outcome(id, answer) {
    const { desk, isUrgent } = message(id);
    const words = answer.toLowerCase().split(/\W+/);
    const isDesk = words.includes(desk);
    const isMarked = words.includes("urgent") === isUrgent;
    const score = isDesk && isMarked ? 1 : isDesk || (isUrgent && isMarked) ? 0.5 : 0;
    const error = score === 1 ? null : isDesk ? "the mark is wrong" : `it had to go to the desk ${desk}`;
    return { score, correct: score === 1, answer, error };
  }

  return {
    id: "tickets",
    problemIds: ids,
    seedInstructions: "Send each message to the desk that fits best.",
    systemPrompt,
    prompt: (id, instructions) => [
      { role: "system", content: systemPrompt(instructions) },
      { role: "user", content: message(id).text },
    ],
    // Whatever a model wrote, it gets an outcome.
    grade: async (id, response) => outcome(id, extractTag(response, "answer").trim()),
    report: (id, { answer, error }) =>
      [
        `Message: ${message(id).text}`,
        `Answer: ${answer}`,
        `Right: ${right(id)}`,
        `Error: ${error ?? "none"}`,
      ].join("\n"),
    describe: (id) => ({ question: message(id).text, gold: right(id) }),
    async validate(onProblem) {
      const failures = [];
      for (const id of ids) {
        const { score, error } = outcome(id, right(id));
        if (score < 1) failures.push({ problem: id, error: error ?? "" });
        onProblem?.();
      }
      return { total: ids.length, passed: ids.length - failures.length, failures };
    },
  };
}

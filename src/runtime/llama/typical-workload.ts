/** Prompts to tune an engine for when nobody says what will be asked: many questions under one long system prompt. */
import type { ChatMessage } from "../../model.js";

const QUESTIONS = 64;
const SYSTEM_WORDS = 500;
const QUESTION_WORDS = 30;
const WORDS =
  "the table orders has columns id customer total and created at which tell when a customer ordered what".split(
    " ",
  );

const words = (count: number, from: number) =>
  Array.from({ length: count }, (_, i) => WORDS[(from + i * 7) % WORDS.length]).join(" ");

/** Only their lengths count: as much shared and as much of their own as questions about a database have. */
export const typicalPrompts = (): ChatMessage[][] =>
  Array.from({ length: QUESTIONS }, (_, i) => [
    { role: "system", content: words(SYSTEM_WORDS, 0) },
    { role: "user", content: `Question ${i}: ${words(QUESTION_WORDS, i)}?` },
  ]);

/** The prompt for a question that somebody asks, with all solved questions to choose examples from. */
import { ExampleIndex } from "../answer/examples.js";
import { strategicPrompt } from "../answer/prompt.js";
import { needsParts, type Strategy } from "../answer/strategy.js";
import { fullQuestion, type QuestionText, sqlSolution } from "../bird/prompts.js";
import type { ChatMessage } from "../model.js";
import type { Workspace } from "./folder.js";
import { formOf } from "./forms.js";
import { QuestionFile } from "./questions.js";

/** A prompt, and the questions that it shows as examples, the most similar one last. */
export interface AskedPrompt {
  readonly messages: ChatMessage[];
  readonly instructions: string;
  readonly examples: readonly string[];
}

/** @throws LseError for a question file that cannot be read, if examples are asked for */
export function askedPrompt(folder: Workspace, question: QuestionText, strategy: Strategy): AskedPrompt {
  const form = formOf(folder.config.prompts, folder.config.engine);
  const { parts } = form;
  const own = strategy.reasoning === "full" ? undefined : parts?.seedInstructions(strategy.reasoning);
  const instructions = folder.manual() ?? own ?? form.seedInstructions;
  if (parts === undefined || !needsParts(strategy))
    return { messages: form.prompt(folder.schema(), question, instructions), instructions, examples: [] };
  const examples = strategy.examples === 0 ? [] : similar(folder, question, strategy.examples);
  const messages = strategicPrompt({
    system: form.systemPrompt(folder.schema(), instructions),
    examples: examples.map(({ sql, ...example }) => ({
      question: fullQuestion(example),
      solution: sqlSolution(sql),
    })),
    question: fullQuestion(question),
    request: parts.request(strategy.reasoning),
    reasoning: strategy.reasoning,
  });
  return { messages, instructions, examples: examples.map((example) => example.question) };
}

/** Nothing is scored here, so every question that has a query may help, the same question most of all. */
function similar(folder: Workspace, question: QuestionText, count: number) {
  const solved = new QuestionFile(folder.questionsPath).questions.filter(({ isRows }) => !isRows);
  const byId = new Map(solved.map((each) => [each.id, each]));
  const index = new ExampleIndex(
    solved.map((each) => ({ id: each.id, text: fullQuestion(each), twinKeys: [] })),
  );
  return index
    .similarTo({ text: fullQuestion(question), twinKeys: [], count })
    .flatMap((id) => byId.get(id) ?? []);
}

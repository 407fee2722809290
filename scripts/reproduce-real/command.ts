/** What the parts of `reproduce:real` have in common on the command line. */
import { Command, Option } from "@commander-js/extra-typings";
import { LseError } from "#lse/errors.js";
import { DATABASES } from "./cells.js";

export const measuringCommand = (description: string) =>
  new Command("reproduce:real")
    .description(description)
    .addOption(new Option("--part <name>", "what is measured").choices(["strategies", "edits"]))
    .option("--dev <folder>", "BIRD's dev folder", "../shared/bird/dev")
    .option("--train <folder>", "BIRD's train folder", "../shared/bird/train")
    .option("--databases <names...>", "some of them", Object.keys(DATABASES))
    .option("--minutes <time>", "begin nothing further after so long", Number, Number.POSITIVE_INFINITY);

/** Ends the process where a name is not one of those known. */
export function requireKnown(given: readonly string[], known: object): void {
  for (const name of given)
    if (!(name in known))
      fail(
        `"${name}" is not known`,
        `Give one of ${Object.keys(known)
          .map((own) => `"${own}"`)
          .join(", ")}`,
      );
}

/** The folder of the GGUF files; ends the process where none is named. */
export const modelFolder = (): string =>
  process.env.LSE_REAL_MODELS ??
  fail("LSE_REAL_MODELS is not set", "Let it name the folder of the GGUF files");

export function fail(problem: string, nextStep: string): never {
  console.error(new LseError(problem, nextStep).message);
  process.exit(1);
}

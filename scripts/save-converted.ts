/** What both conversions do in the end: write the subjects and say how many questions each has. */
import { LseError } from "../src/errors.js";
import type { Subjects } from "../src/mmlu/convert.js";
import { saveSubjects } from "../src/mmlu/save.js";

/** Saves what a conversion makes and prints the size of each subject; bad input is one line and exit code 1. */
export async function saveConverted(folder: string, convert: () => Promise<Subjects>): Promise<void> {
  try {
    const subjects = await convert();
    await saveSubjects(folder, subjects);
    for (const [subject, rows] of subjects) console.log(`${subject}: ${rows.length}`);
    const total = [...subjects.values()].reduce((sum, rows) => sum + rows.length, 0);
    console.log(`${folder}: ${total} questions, ${subjects.size} subjects`);
  } catch (error) {
    if (!(error instanceof LseError)) throw error;
    console.error(`error: ${error.message}`);
    process.exitCode = 1;
  }
}

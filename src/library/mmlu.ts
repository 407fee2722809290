/** `lse/mmlu`: MMLU-Redux and sets in its form. */
export { convertMmluPro, convertSuperGpqa, type Subjects } from "../mmlu/convert.js";
export { type MmluQuestion, type MmluSubject, readSubject } from "../mmlu/dataset.js";
export { subjectsIn } from "../mmlu/folders.js";
export type { GoldRules } from "../mmlu/gold.js";
export { saveSubjects } from "../mmlu/save.js";
export { MmluTask, type MmluTaskOptions } from "../mmlu/task.js";

/** `lse/mini`: the miniature world, its databases, questions and demonstrations. */
export { actingFigures } from "../mini/acting-figures.js";
export { exportToBird } from "../mini/bird-layout.js";
export type { Convention, MiniDatabase } from "../mini/database.js";
export { deltaText, MINI_DELTAS } from "../mini/deltas.js";
export { actDemonstrations, type Demonstration, evolveDemonstrations } from "../mini/demonstrations.js";
export { type EditStart, editGains, editStarts, perfectGains } from "../mini/edit-gains.js";
export {
  perfectDelta,
  perfectEdit,
  type RuleChange,
  SLOPPINESS,
  sloppyDelta,
  sloppyEdit,
} from "../mini/edits.js";
export { makeDatabase } from "../mini/generator.js";
export { type MiniProblem, makeProblems } from "../mini/problems.js";
export { parseRules, type Rule, rulesText } from "../mini/rules.js";
export { type MiniAddress, parseAddress } from "../mini/splits.js";
export { simulatedAnswer } from "../mini/sql.js";
export { MiniGrader, MiniTask } from "../mini/task.js";
export { miniDeltaTokenizer, miniTokenizer } from "../mini/tokenizer.js";

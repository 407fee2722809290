/** Questions of BIRD dev that others have published as wrong or unfair. */

export interface KnownDefect {
  /** Unique only together with the database: Mini-Dev has some numbers twice. */
  readonly questionId: number;
  readonly dbId: string;
  readonly what: string;
  readonly source: string;
}

const about = (questionId: number, dbId: string, what: string, source: string): KnownDefect => ({
  questionId,
  dbId,
  what,
  source,
});
const SLOW = "the gold query takes longer than the official 30 s on common machines";
const WRONG = "gold query and evidence, when executed, contradict the question";

export const KNOWN_DEFECTS: readonly KnownDefect[] = [
  about(701, "codebase_community", SLOW, "bird-bench/mini_dev#43"),
  about(518, "card_games", SLOW, "bird-bench/mini_dev#43"),
  about(129, "financial", WRONG, "bird-bench/mini_dev#45"),
  about(271, "toxicology", WRONG, "bird-bench/mini_dev#45"),
  about(635, "codebase_community", WRONG, "bird-bench/mini_dev#45"),
  about(646, "codebase_community", WRONG, "bird-bench/mini_dev#45"),
  about(1006, "formula_1", WRONG, "bird-bench/mini_dev#45"),
  about(1011, "formula_1", WRONG, "bird-bench/mini_dev#45"),
  about(1014, "formula_1", WRONG, "bird-bench/mini_dev#45"),
  about(1113, "european_football_2", WRONG, "bird-bench/mini_dev#45"),
  about(1199, "thrombosis_prediction", WRONG, "bird-bench/mini_dev#45"),
  about(1279, "thrombosis_prediction", WRONG, "bird-bench/mini_dev#45"),
  about(137, "financial", "Mini-Dev has this number twice", "AlibabaResearch/DAMO-ConvAI#39"),
  about(138, "financial", "Mini-Dev has this number twice", "AlibabaResearch/DAMO-ConvAI#39"),
];

export const defectOf = (questionId: number, dbId: string): KnownDefect | undefined =>
  KNOWN_DEFECTS.find((defect) => defect.questionId === questionId && defect.dbId === dbId);

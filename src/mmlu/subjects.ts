/** The names of the subjects, and the data sets they belong to. */

/**
 * The subjects of MMLU-Redux 2.0 and of MMLU-Pro-Redux, as their folders are named
 * (lse/envs/mmlu_env.py:13-33). Those of SuperGPQA are read from the data.
 */
export const SUBJECTS = {
  "MMLU-Redux 2.0": `abstract_algebra anatomy astronomy business_ethics clinical_knowledge college_biology
    college_chemistry college_computer_science college_mathematics college_medicine college_physics computer_security
    conceptual_physics econometrics electrical_engineering elementary_mathematics formal_logic global_facts
    high_school_biology high_school_chemistry high_school_computer_science high_school_european_history
    high_school_geography high_school_government_and_politics high_school_macroeconomics high_school_mathematics
    high_school_microeconomics high_school_physics high_school_psychology high_school_statistics
    high_school_us_history high_school_world_history human_aging human_sexuality international_law jurisprudence
    logical_fallacies machine_learning management marketing medical_genetics miscellaneous moral_disputes
    moral_scenarios nutrition philosophy prehistory professional_accounting professional_law professional_medicine
    professional_psychology public_relations security_studies sociology us_foreign_policy virology
    world_religions`.split(/\s+/),
  "MMLU-Pro-Redux": `biology business chemistry computer_science economics engineering math physics
    psychology`.split(/\s+/),
} as const satisfies Readonly<Record<string, readonly string[]>>;

/** What the published code calls the data set of a subject. */
export function publishedSplit(subject: string): "train" | "dev" | "gpqa" {
  const dataSet = dataSetOf(subject);
  if (dataSet === "MMLU-Redux 2.0") return "train";
  return dataSet === "MMLU-Pro-Redux" ? "dev" : "gpqa";
}

/** The data set that has such a subject, if it is one of those known by name. */
export function dataSetOf(subject: string): string | undefined {
  return Object.entries(SUBJECTS).find(([, names]) => names.includes(subject))?.[0];
}

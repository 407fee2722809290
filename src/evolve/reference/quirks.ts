/** Where the published code (chenyn66/learning-to-self-evolve at 9eb5eac) does what nobody would expect, and what lse does. */

export interface Quirk {
  readonly id: string;
  /** What the published code does. */
  readonly what: string;
  /** Where, in its repository. */
  readonly source: string;
  /**
   * "kept": so do we. "reference": so do we with `--schedule reference` only. "option": where a setting asks for it.
   * "fixed": we do not. "absent": what it is about does not exist here.
   */
  readonly ours: "kept" | "reference" | "option" | "fixed" | "absent";
  /** What we do, or the setting. */
  readonly how: string;
}

export const QUIRKS: readonly Quirk[] = [
  {
    id: "Q1",
    what: "Docstrings speak of leaves; every node can be selected.",
    source: "lse/core/tree.py:41-45, 147-160",
    ours: "kept",
    how: "EvolutionTree.select",
  },
  {
    id: "Q2",
    what: "UCB counts selections, an unscored node is never preferred, ties go to the oldest; c = 2 on scores from 0 to 1 is nearly breadth-first.",
    source: "lse/core/tree.py:134-145",
    ours: "kept",
    how: "--ucb-c, or --method ucb-se",
  },
  {
    id: "Q3",
    what: "Its check of edits passes everything: one that cannot be parsed becomes a child identical to its parent.",
    source: "lse/agents/base.py:436-540, lse/agents/bird_agent.py:407",
    ours: "reference",
    how: "otherwise asked for again, up to --tries, then counted and not adopted",
  },
  {
    id: "Q4",
    what: "The reward of BIRD edits shows the new instructions in the system message and the base ones in the user message.",
    source: "verl/verl/utils/lse_reward_fn.py:81, lse/agents/bird_agent.py:99",
    ours: "fixed",
    how: "a prompt has one version of the instructions",
  },
  {
    id: "Q5",
    what: "A node's performance and an edit's reward can be measured on different problems.",
    source: "verl/verl/utils/lse_reward_fn.py:183-218",
    ours: "fixed",
    how: "both are the run's holdout; runs of the published code without one are refused",
  },
  {
    id: "Q6",
    what: "With use_ref, the saved evolve prompt of BIRD shows the base instructions.",
    source: "lse/agents/bird_agent.py:122",
    ours: "absent",
    how: "no use_ref: with a holdout it only adds figures to the log; lse compare does that",
  },
  {
    id: "Q7",
    what: "GEPA's training pool has the test's problems in it, and MMLU's holdout is another than LSE's.",
    source: "lse/simulators/gepa_bird_simulator.py:59-63",
    ours: "fixed",
    how: "all methods have the same split",
  },
  {
    id: "Q8",
    what: "The logit_delta advantage is infinite for scores of 0 and 1.",
    source: "verl/verl/trainer/ppo/core_algos.py:265-409",
    ours: "fixed",
    how: "probabilities are held away from 0 and 1",
  },
  {
    id: "Q9",
    what: "The evolve prompt speaks of earlier iterations and shows none.",
    source: "lse/prompts",
    ours: "fixed",
    how: "ours speaks of the batch it shows",
  },
  {
    id: "Q10",
    what: "The reward's environment draws a random database before it takes the right one, and can fail on it.",
    source: "lse/envs/bird_env.py:207-220",
    ours: "absent",
    how: "a task is one database",
  },
  {
    id: "Q11",
    what: "TextGrad never scores the seed: its first rewrite is always kept.",
    source: "lse/simulators/bird_simulator.py:236-332",
    ours: "fixed",
    how: "the seed is scored, and the first rewrite has to beat it",
  },
  {
    id: "Q12",
    what: "Node scores come of other problems each round and of sampled answers.",
    source: "lse/simulators/bird_simulator.py:334-526",
    ours: "fixed",
    how: "one holdout and one draw for all nodes, --samples, standard errors",
  },
  {
    id: "Q13",
    what: "Predicted SQL can write to the database; an empty answer is right where gold has no rows; the cache joins blanks within quotes.",
    source: "lse/bird/eval.py:38-65, 115-189",
    ours: "fixed",
    how: "read-only, an empty answer is wrong, exact keys",
  },
  {
    id: "Q14",
    what: "Some draws have no seed.",
    source: "lse/agents/bird_agent.py:182, verl/verl/utils/dataset/lse_dataset.py:36-132",
    ours: "fixed",
    how: "every draw is seeded by what it is for",
  },
  {
    id: "Q15",
    what: "An invalid edit's reward is -1, not -1 minus its node's score.",
    source: "verl/verl/utils/lse_reward_fn.py:183-218",
    ours: "kept",
    how: "INVALID",
  },
  {
    id: "Q16",
    what: "test_ood without a test trains on another database and names the run after the first.",
    source: "lse/simulators/bird_simulator.py:23-75",
    ours: "option",
    how: "--test-db names the other database, and only the test is on it",
  },
  {
    id: "Q17",
    what: "wandb is always started, and the agents cannot be imported without a GPU.",
    source: "main.py",
    ours: "absent",
    how: "a run is a folder of files",
  },
];

/** tree.json: the tree of a run as the published code writes and reads it. */
import { z } from "zod";
import { LseError } from "../errors.js";
import { EDIT_KIND_NAMES, type EditKindName, type EvolveConfig } from "./config.js";
import { METHODS } from "./methods.js";
import type { NodeRecord } from "./run.js";
import { EvolutionTree } from "./tree.js";

/**
 * The tree as the published code writes and reads it (lse/core/tree.py:183-279, format_version 1), with one
 * field more per node, `standard_error`, and for edits other than rewrites a second one, `edit_kind`. `performance`, its word for the score, is null where that is unknown. `history` stays
 * null: it repeats what the run's events hold.
 */
export function treeToJson(
  { tree, records }: SavedTree,
  { method, ucbC }: Pick<EvolveConfig, "method" | "ucbC">,
): string {
  const nodes = tree.nodes.map((node) => ({
    id: node.id,
    parent_id: node.parent,
    depth: node.depth,
    visits: node.visits,
    performance: orNull(node.score),
    standard_error: orNull(node.standardError),
    round_idx: node.round,
    instructions: node.instructions,
    conversation: records[node.id]?.conversation ?? null,
    summary: records[node.id]?.summary ?? null,
    history: null,
    self_evolve_prompt: records[node.id]?.selfEvolvePrompt ?? null,
    ...(isRewritten(records[node.id]) ? {} : { edit_kind: records[node.id]?.editKind }),
  }));
  const document = {
    format_version: 1,
    selection: METHODS[method].selection,
    ucb_c: ucbC,
    next_id: tree.nodes.length,
    total_selections: tree.totalSelections,
    root_id: 0,
    nodes,
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

const messageSchema = z.object({ role: z.enum(["system", "user", "assistant"]), content: z.string() });

const nodeSchema = z.object({
  id: z.int().min(0),
  parent_id: z.int().nullable(),
  visits: z.int().default(0),
  performance: z.number().nullable().default(null),
  standard_error: z.number().nullable().default(null),
  round_idx: z.int().nullable().default(null),
  instructions: z.string(),
  conversation: z.array(messageSchema).nullable().default(null),
  /** Its rows are the writer's own. */
  summary: z.array(z.record(z.string(), z.unknown())).nullable().default(null),
  self_evolve_prompt: z.array(messageSchema).nullable().default(null),
  edit_kind: z.enum(EDIT_KIND_NAMES).optional(),
});

const treeSchema = z.object({
  format_version: z.literal(1),
  root_id: z.literal(0),
  total_selections: z.int().default(0),
  nodes: z.array(nodeSchema).min(1),
});

/** A tree file as far as it is read back. */
export interface SavedTree {
  readonly tree: EvolutionTree;
  /** By node id. */
  readonly records: readonly NodeRecord[];
}

/**
 * Reads a tree file, ours or the published code's.
 * @param origin the file's path, for error messages
 * @param edits what prompts ask for that do not say it
 * @throws LseError naming the field that is wrong
 */
export function treeFromJson(text: string, origin: string, edits: EditKindName = "rewrite"): SavedTree {
  const { total_selections, nodes } = parseTree(text, origin);
  const sorted = [...nodes].sort((a, b) => a.id - b.id);
  const tree = new EvolutionTree(sorted[0]?.instructions ?? "");
  tree.totalSelections = total_selections;
  for (const [index, saved] of sorted.entries()) {
    const parent = saved.parent_id;
    if (saved.id !== index || (index === 0) !== (parent === null) || (parent !== null && parent >= index)) {
      throw new LseError(
        `${origin}: node ${saved.id} with parent ${parent} does not fit into a tree of consecutive ids`,
        "Give a tree.json that a run has written",
      );
    }
    const node = parent === null ? tree.root : tree.add(parent, saved.instructions, saved.round_idx ?? 0);
    node.visits = saved.visits;
    node.score = saved.performance ?? Number.NaN;
    node.standardError = saved.standard_error ?? Number.NaN;
  }
  const records = sorted.map((saved) => ({
    conversation: saved.conversation,
    summary: saved.summary,
    selfEvolvePrompt: saved.self_evolve_prompt,
    editKind: saved.edit_kind ?? (saved.self_evolve_prompt === null ? null : edits),
  }));
  return { tree, records };
}

function parseTree(text: string, origin: string): z.infer<typeof treeSchema> {
  try {
    return treeSchema.parse(JSON.parse(text));
  } catch (cause) {
    const why = cause instanceof z.ZodError ? z.prettifyError(cause) : String(cause);
    throw new LseError(`${origin}: not a tree file (${why.replace(/\s+/g, " ")})`, "Give a run's tree.json", {
      cause,
    });
  }
}

const isRewritten = (record: NodeRecord | undefined) =>
  record?.editKind == null || record.editKind === "rewrite";

const orNull = (value: number) => (Number.isNaN(value) ? null : value);

/** Gives each question its role for good: to learn from, to select instructions by, or to test with. */
import { deriveSeed } from "../lib/random.js";
import { partsFor } from "./protocol.js";

/** What a question is used for in all runs. */
export const ROLES = ["pool", "holdout", "test"] as const;
export type Role = (typeof ROLES)[number];

/**
 * Gives each question its role. One that had a role keeps it, however many come and go: no question that a manual has
 * learned from gets into the test, and none of the test is learned from. New ones are taken in an order that depends
 * on their words alone, and each gets the role that lacks the most questions.
 * @param earlier roles that earlier runs gave, by id
 */
export function assignRoles(ids: readonly string[], earlier: ReadonlyMap<string, Role>): Map<string, Role> {
  const roles = new Map<string, Role>();
  const counts = { test: 0, holdout: 0, pool: 0 };
  const give = (id: string, role: Role) => {
    roles.set(id, role);
    counts[role]++;
  };
  for (const id of ids) {
    const role = earlier.get(id);
    if (role !== undefined) give(id, role);
  }
  const wanted = partsFor(ids.length);
  const draw = (id: string) => deriveSeed("own role", id);
  const fresh = ids.filter((id) => !roles.has(id)).sort((a, b) => draw(a) - draw(b) || (a < b ? -1 : 1));
  for (const id of fresh) {
    const lacking = (role: Role) => wanted[role] - counts[role];
    give(
      id,
      ROLES.reduce((most, role) => (lacking(role) > lacking(most) ? role : most)),
    );
  }
  return new Map(ids.map((id) => [id, roles.get(id) as Role]));
}

import { expect, it } from "vitest";
import { partsFor, protocolFor } from "#lse/workspace/protocol.js";
import { assignRoles, type Role } from "#lse/workspace/roles.js";

const ids = (count: number, from = 0) => Array.from({ length: count }, (_, i) => `q${from + i}`);
const counts = (roles: ReadonlyMap<string, Role>) => {
  const of = (role: Role) => [...roles.values()].filter((each) => each === role).length;
  return [of("test"), of("holdout"), of("pool")];
};

it.each([
  [12, { test: 4, holdout: 4, pool: 4 }, { batch: 3, rounds: 6, samples: 4 }],
  [31, { test: 10, holdout: 10, pool: 11 }, { batch: 5, rounds: 8, samples: 4 }],
  [30, { test: 10, holdout: 10, pool: 10 }, { batch: 5, rounds: 8, samples: 4 }],
  [100, { test: 27, holdout: 28, pool: 45 }, { batch: 10, rounds: 25, samples: 2 }],
  [1000, { test: 100, holdout: 50, pool: 850 }, { batch: 10, rounds: 25, samples: 1 }],
])("%i questions are divided and used like this", (questions, parts, protocol) => {
  expect(partsFor(questions)).toEqual(parts);
  const { test, holdout } = parts;
  expect(protocolFor(parts, false)).toEqual({ test, holdout, ...protocol });
  // A batch needs its problems.
  expect(protocol.batch).toBeLessThanOrEqual(parts.pool);
});

it("of later questions the first is learned from, then they go to all parts", () => {
  const parts = [31, 32, 33, 34].map(partsFor).map(({ test, holdout, pool }) => [test, holdout, pool]);
  expect(parts).toEqual([
    [10, 10, 11],
    [10, 11, 11],
    [10, 11, 12],
    [11, 11, 12],
  ]);
});

it("a model that answers alike each time is asked once", () => {
  expect(protocolFor(partsFor(30), true).samples).toBe(1);
});

it("new questions are dealt out by their words, in the wanted numbers", () => {
  const roles = assignRoles(ids(30), new Map());
  expect(counts(roles)).toEqual([10, 10, 10]);
  expect(assignRoles(ids(30).reverse(), new Map())).toEqual(new Map([...roles].reverse()));
  // By no order that a user could give.
  expect([...roles.values()].slice(0, 10)).not.toEqual(Array(10).fill("test"));
});

it("a question keeps its role when others come and go", () => {
  let roles = assignRoles(ids(30), new Map());
  for (const total of [31, 33, 40, 60]) {
    const next = assignRoles(ids(total), roles);
    for (const [id, role] of roles) expect([id, next.get(id)]).toEqual([id, role]);
    roles = next;
  }
  expect(counts(roles)).toEqual([17, 18, 25]);
  const fewer = assignRoles(ids(40, 20), roles);
  for (const [id, role] of fewer) expect([id, roles.get(id)]).toEqual([id, role]);
});

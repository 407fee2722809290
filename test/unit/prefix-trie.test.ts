import { describe, expect, it } from "vitest";
import { uniformStream } from "#lse/lib/random.js";
import { type Branch, KvCache } from "#lse/runtime/llama/kv-cache.js";
import { PrefixTrie, type TrieNode } from "#lse/runtime/llama/prefix-trie.js";
import { FakeMemory } from "../fake-memory.js";

const SEQUENCES = 12;
const CELLS = 60;

function tokensOf(node: TrieNode): number[] {
  return node.path().flatMap(({ edge }) => edge);
}

describe("PrefixTrie", () => {
  it("shares equal beginnings, splits edges, and forgets what nobody wants", () => {
    const trie = new PrefixTrie();
    const first = trie.want("", [1, 2, 3, 4]);
    const second = trie.want("", [1, 2, 5]);
    expect(first.parent).toBe(second.parent);
    expect(first.parent?.edge).toEqual([1, 2]);
    expect(tokensOf(first)).toEqual([1, 2, 3, 4]);
    expect(trie.want("", [1, 2])).toBe(first.parent);
    expect(trie.want("other", [1, 2])).not.toBe(first.parent);
    trie.unwant(first);
    expect([...trie.nodes("")].map(tokensOf)).toEqual([
      [1, 2],
      [1, 2, 5],
    ]);
    trie.unwant(second);
    trie.unwant(second.parent as TrieNode);
    expect([...trie.nodes("")]).toEqual([]);
  });

  it("cuts what is cached at a split", () => {
    const trie = new PrefixTrie();
    const lower = trie.want("", [1, 2, 3, 4]);
    lower.cached = 3;
    const upper = trie.want("", [1, 2]);
    expect([upper.cached, lower.cached, lower.start]).toEqual([2, 1, 2]);
  });
});

describe("KvCache", () => {
  it.each([1, 2, 3, 4])("holds what a naive model holds after random operations (seed %i)", (seed) => {
    const uniform = uniformStream(seed);
    const random = (below: number) => Math.floor(uniform() * below);
    const memory = new FakeMemory(CELLS);
    const cache = new KvCache(memory, CELLS, SEQUENCES, 0.01);
    const users: { node: TrieNode; prompt: number[]; branch: Branch | null; own: number[] }[] = [];
    let evaluated = 0;

    const start = () => {
      const prompt = Array.from({ length: 1 + random(12) }, () => random(2));
      const [wanted] = cache.want(String(random(2)), [prompt]);
      const { node } = wanted as { node: TrieNode };
      expect(tokensOf(node)).toEqual(prompt);
      cache.retain(node);
      users.push({ node, prompt, branch: null, own: [] });
    };
    const advance = () => {
      const user = users[random(users.length)];
      if (user === undefined) return;
      const { node, prompt, own } = user;
      const next = node.path().find(({ complete }) => !complete);
      if (next !== undefined) {
        const tokens = 1 + random(next.edge.length - next.cached);
        if (!cache.makeRoom(tokens)) return;
        const sequence = cache.sequenceOf(next);
        if (sequence === null) return;
        const from = next.start + next.cached;
        for (let i = from; i < from + tokens; i++) memory.write(sequence, i, prompt[i] as number);
        cache.filled(next, tokens);
        evaluated += tokens;
      } else if (user.branch === null) {
        user.branch = cache.fork(node, node.end - random(2));
        if (user.branch !== null) own.push(...prompt.slice(0, user.branch.end));
      } else if (cache.makeRoom(1)) {
        const token = 100 + random(100);
        memory.write(user.branch.sequence, user.branch.end, token);
        cache.extended(user.branch, 1);
        own.push(token);
      }
    };
    const stop = () => {
      const [user] = users.splice(random(users.length), 1);
      if (user === undefined) return;
      if (user.branch !== null) cache.close(user.branch);
      cache.release(user.node);
      cache.unwant(user.node);
    };

    for (let step = 0; step < 3000; step++) {
      const choice = random(10);
      if (choice < 2 && users.length < 5) start();
      else if (choice < 3) stop();
      else if (choice < 9) advance();
      else if (random(2) === 0) cache.evict();
      else cache.giveUpCostly(random(120));

      for (const { node, prompt, branch, own } of users) {
        if (branch !== null) expect(memory.tokens(branch.sequence)).toEqual(own);
        const cached = node.path().reduce((sum, each) => sum + each.cached, 0);
        expect(cached).toBeLessThanOrEqual(prompt.length);
      }
      const inUse = new Set(users.flatMap(({ node }) => node.path()));
      const needed = [...inUse].reduce((sum, node) => sum + node.cached, 0);
      const own = users.reduce((sum, { branch }) => sum + (branch ? branch.end - branch.base : 0), 0);
      expect(cache.available).toBe(CELLS - needed - own);
    }
    while (users.length > 0) stop();
    expect(cache.available).toBe(CELLS);
    expect(cache.makeRoom(CELLS)).toBe(true);
    expect(memory.cells).toEqual([]);
    expect(evaluated).toBeGreaterThan(500);
  });

  it("gives up what costs more attention than evaluating it again, unless it is awaited", () => {
    const memory = new FakeMemory(CELLS);
    const cache = new KvCache(memory, CELLS, SEQUENCES, 0.01);
    const prompts = [
      [1, 1, 1, 2, 2],
      [1, 1, 1, 3, 3],
    ];
    const nodes = cache.want("", prompts).map(({ node }) => node);
    for (const node of nodes) {
      cache.retain(node);
      for (const edge of node.path().filter(({ complete }) => !complete)) {
        const sequence = cache.sequenceOf(edge) as number;
        for (const [i, token] of edge.edge.entries()) memory.write(sequence, edge.start + i, token);
        cache.filled(edge, edge.edge.length);
      }
      cache.release(node);
    }
    const [first, second] = nodes as [TrieNode, TrieNode];
    cache.unwant(first);
    const cached = () => [first.parent?.cached, first.cached, second.cached];
    cache.giveUpCostly(60);
    expect(cached()).toEqual([3, 2, 2]);
    // The costs of all calls since it was used count; what is awaited costs nothing, nor what leads to it.
    cache.giveUpCostly(60);
    expect(cached()).toEqual([3, 0, 2]);
    cache.unwant(second);
    cache.giveUpCostly(50);
    cache.retain(second);
    cache.release(second);
    cache.giveUpCostly(99);
    expect(second.cached).toBe(2);
    cache.giveUpCostly(100);
    expect(memory.cells).toEqual([]);
    expect(cache.available).toBe(CELLS);
  });

  it("evicts the least recently used leaf first, and one that is still wanted last", () => {
    const memory = new FakeMemory(CELLS);
    const cache = new KvCache(memory, CELLS, SEQUENCES);
    const prompts = [1, 2, 3].map((token) => [token, token, token]);
    const nodes = cache.want("", prompts).map(({ node }) => node);
    for (const node of nodes) {
      cache.retain(node);
      const sequence = cache.sequenceOf(node) as number;
      for (const [i, token] of node.edge.entries()) memory.write(sequence, i, token);
      cache.filled(node, 3);
      cache.release(node);
    }
    const [first, second, third] = nodes as [TrieNode, TrieNode, TrieNode];
    cache.unwant(second);
    cache.unwant(third);
    cache.retain(second);
    cache.release(second);
    const cached = () => nodes.map((node) => node.cached);
    cache.evict();
    expect(cached()).toEqual([3, 3, 0]);
    cache.evict();
    expect(cached()).toEqual([3, 0, 0]);
    cache.retain(first);
    expect(cache.evict()).toBe(false);
    cache.release(first);
    expect(cache.evict()).toBe(true);
  });
});

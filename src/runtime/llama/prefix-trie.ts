/**
 * Runs of tokens as a tree in which equal beginnings are one path: schema → instructions → question.
 * Knows what is in the cache and who needs it; where it lies is `kv-cache.ts`.
 */
export class TrieNode {
  readonly children = new Map<number, TrieNode>();
  /** How many of the edge's tokens are in the cache, from its start. All of them, if any child has some. */
  cached = 0;
  /** Unfinished requests whose prompt ends here. */
  wanted = 0;
  /** Requests that hold this node's cells, or are about to fill them, for themselves or for a descendant. */
  users = 0;
  /** When it was last taken into use or given up, on the clock of `PrefixTrie`. */
  lastUsed = 0;
  /** What its cells have cost since, as a share of what evaluating them again would; `KvCache.giveUpCostly`. */
  idleCost = 0;

  constructor(
    public parent: TrieNode | null,
    /** The tokens from the parent's end to this node. */
    public edge: readonly number[],
    /** Position of the edge's first token. */
    public start: number,
  ) {}

  /** Tokens from the root to here. */
  get end(): number {
    return this.start + this.edge.length;
  }

  get complete(): boolean {
    return this.cached === this.edge.length;
  }

  /** From below the root to this node. */
  path(): TrieNode[] {
    const path: TrieNode[] = [];
    for (let node: TrieNode = this; node.parent !== null; node = node.parent) path.push(node);
    return path.reverse();
  }
}

/** Several tries, one for each name: what one adapter computed is nothing to another. */
export class PrefixTrie {
  readonly #roots = new Map<string, TrieNode>();
  #clock = 0;

  /** @param onSplit told when `upper` took over the first part of `lower`'s edge */
  constructor(private readonly onSplit: (upper: TrieNode, lower: TrieNode) => void = () => undefined) {}

  /** The node at the end of exactly these tokens, made if there is none, and wanted once more. */
  want(name: string, tokens: readonly number[]): TrieNode {
    let node = this.#root(name);
    while (node.end < tokens.length) {
      const next = node.children.get(tokens[node.end] as number);
      if (next === undefined) {
        const leaf = new TrieNode(node, tokens.slice(node.end), node.end);
        node.children.set(leaf.edge[0] as number, leaf);
        node = leaf;
        continue;
      }
      let shared = 1;
      while (shared < next.edge.length && next.edge[shared] === tokens[next.start + shared]) shared++;
      node = shared === next.edge.length ? next : this.#split(next, shared);
    }
    node.wanted++;
    return node;
  }

  /** Takes back one `want`. A node that nobody wants and that has nothing in the cache goes. */
  unwant(node: TrieNode): void {
    node.wanted--;
    this.prune(node);
  }

  /** Takes the way to `node` into use, so that nothing on it may be evicted. */
  retain(node: TrieNode): void {
    for (const each of node.path()) {
      each.users++;
      each.lastUsed = ++this.#clock;
      each.idleCost = 0;
    }
  }

  /** Takes back one `retain`. */
  release(node: TrieNode): void {
    for (const each of node.path()) {
      each.users--;
      each.lastUsed = ++this.#clock;
    }
  }

  /** Removes `node`, and above it, what is neither cached nor wanted nor in use. */
  prune(node: TrieNode): void {
    let gone = node;
    while (gone.parent !== null && gone.children.size === 0) {
      if (gone.cached > 0 || gone.wanted > 0 || gone.users > 0) return;
      gone.parent.children.delete(gone.edge[0] as number);
      gone = gone.parent;
    }
  }

  /** All nodes under a name, parents before their children, siblings in the order they came. */
  *nodes(name: string): Generator<TrieNode> {
    const stack = [this.#root(name)];
    for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
      if (node.parent !== null) yield node;
      stack.push(...[...node.children.values()].reverse());
    }
  }

  #root(name: string): TrieNode {
    let root = this.#roots.get(name);
    if (root === undefined) {
      root = new TrieNode(null, [], 0);
      this.#roots.set(name, root);
    }
    return root;
  }

  /** Puts a node after the first `length` tokens of `lower`'s edge. `lower` stays the node of its own end. */
  #split(lower: TrieNode, length: number): TrieNode {
    const upper = new TrieNode(lower.parent, lower.edge.slice(0, length), lower.start);
    upper.cached = Math.min(lower.cached, length);
    upper.users = lower.users;
    upper.lastUsed = lower.lastUsed;
    lower.parent?.children.set(upper.edge[0] as number, upper);
    lower.parent = upper;
    lower.edge = lower.edge.slice(length);
    lower.start += length;
    lower.cached -= upper.cached;
    upper.children.set(lower.edge[0] as number, lower);
    this.onSplit(upper, lower);
    return upper;
  }
}

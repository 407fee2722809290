/** Which cells of the KV cache hold which tokens, and which are dropped first. */
import { PrefixTrie, type TrieNode } from "./prefix-trie.js";

/** What of llama.cpp the cache needs: sequences that share cells. */
export interface CellMemory {
  /** Gives `target`, which is empty, the cells of `source` before position `end`. */
  copy(source: number, target: number, end: number): void;
  /** Takes the cells from position `from` on off a sequence; a cell of no sequence is free. */
  trim(sequence: number, from: number): void;
  /** Frees all cells. */
  clear(): void;
}

/** A sequence of its own that goes on from a prompt: the cells of one completion. */
export interface Branch {
  readonly sequence: number;
  /** The position up to which its cells are the prompt's. */
  readonly base: number;
  /** The position after its last cell. */
  end: number;
}

/**
 * Which cells of a unified KV cache hold which tokens.
 *
 * Only the ends of cached paths have a sequence; it holds the whole path, so what lies above needs none. There
 * are 256 sequences whatever the memory, and this way a tree takes as many as it has leaves. When a leaf is
 * extended its sequence moves on to the child; when the last child goes it moves back.
 */
export class KvCache {
  #trie = this.#newTrie();
  /** The leaves of what is cached. */
  readonly #sequences = new Map<TrieNode, number>();
  #unused: number[] = [];
  #room = 0;
  /** Cells of nodes that are not in use: they can be freed. */
  #idle = 0;

  constructor(
    private readonly memory: CellMemory,
    readonly cells: number,
    private readonly sequences: number,
    /** What one token pays for every cell that is taken, whosever it is, as a share of evaluating a token. */
    private readonly costOfCell = 0,
  ) {
    this.clear();
  }

  /** Forgets everything; nothing may be in use. */
  clear(): void {
    this.memory.clear();
    this.#trie = this.#newTrie();
    this.#sequences.clear();
    this.#unused = Array.from({ length: this.sequences }, (_, i) => this.sequences - 1 - i);
    this.#room = this.cells;
    this.#idle = 0;
  }

  /**
   * Of an empty cache: the sequence whose first cells hold these tokens, which the caller puts there.
   * @param name what they were evaluated under
   */
  adopt(name: string, tokens: readonly number[]): number {
    const node = this.#trie.want(name, tokens);
    const sequence = this.#takeSequence() as number;
    this.#sequences.set(node, sequence);
    this.filled(node, tokens.length);
    this.#idle += tokens.length;
    this.unwant(node);
    return sequence;
  }

  /** Cells that are free or can be made so. */
  get available(): number {
    return this.#room + this.#idle;
  }

  /**
   * The nodes at the ends of these prompts, and their order in the tree: prompts that share much are near.
   * Each has to be given back with `unwant`.
   */
  want(name: string, prompts: readonly (readonly number[])[]): { node: TrieNode; order: number }[] {
    const nodes = prompts.map((prompt) => this.#trie.want(name, prompt));
    const order = new Map(Array.from(this.#trie.nodes(name), (node, i) => [node, i]));
    return nodes.map((node) => ({ node, order: order.get(node) as number }));
  }

  unwant(node: TrieNode): void {
    this.#trie.unwant(node);
  }

  /** Keeps everything on the way to `node` from being evicted. */
  retain(node: TrieNode): void {
    for (const each of node.path()) if (each.users === 0) this.#idle -= each.cached;
    this.#trie.retain(node);
  }

  release(node: TrieNode): void {
    this.#trie.release(node);
    for (const each of node.path()) if (each.users === 0) this.#idle += each.cached;
  }

  /** Evicts, the least recently used first, until so many cells are free. @returns whether they are */
  makeRoom(cells: number): boolean {
    if (cells > this.available) return false;
    while (this.#room < cells) if (!this.evict()) return false;
    return true;
  }

  /**
   * The sequence to evaluate the rest of `node` in, or null when all sequences are in use. The node is in use,
   * and all above it is cached.
   */
  sequenceOf(node: TrieNode): number | null {
    const own = this.#sequences.get(node);
    if (own !== undefined) return own;
    const parent = node.parent as TrieNode;
    if (this.#move(parent, node)) return this.#sequences.get(node) as number;
    const sequence = this.#takeSequence();
    if (sequence === null) return null;
    this.#copyPath(parent, sequence, node.start);
    this.#sequences.set(node, sequence);
    return sequence;
  }

  /** So many more tokens of `node` have been evaluated in its sequence. */
  filled(node: TrieNode, tokens: number): void {
    node.cached += tokens;
    this.#room -= tokens;
  }

  /** A new branch that starts with the cells of `node` before position `end`, or null as `sequenceOf`. */
  fork(node: TrieNode, end: number): Branch | null {
    const sequence = this.#takeSequence();
    if (sequence === null) return null;
    this.#copyPath(node, sequence, end);
    return { sequence, base: end, end };
  }

  /** So many more tokens have been evaluated in a branch. */
  extended(branch: Branch, tokens: number): void {
    branch.end += tokens;
    this.#room -= tokens;
  }

  /** Frees the cells of a branch from a position on. */
  shorten(branch: Branch, end: number): void {
    if (end >= branch.end) return;
    this.memory.trim(branch.sequence, end);
    this.#room += branch.end - end;
    branch.end = end;
  }

  /** Frees what a branch holds for itself. */
  close(branch: Branch): void {
    this.memory.trim(branch.sequence, 0);
    this.#unused.push(branch.sequence);
    this.#room += branch.end - branch.base;
  }

  /** Gives up what a prompt has of its own, unless somebody still needs it. */
  drop(node: TrieNode): void {
    if (this.#sequences.has(node) && isIdle(node)) this.#giveUp(node);
  }

  /**
   * Gives up what no waiting request needs and what it costs more to keep than to evaluate again. Attention looks
   * at every cell that is taken, so an idle one is paid for by each token that is evaluated meanwhile.
   * @param tokens how many are about to be evaluated
   */
  giveUpCostly(tokens: number): void {
    for (const leaf of [...this.#sequences.keys()]) {
      for (let node = leaf; this.#sequences.has(node) && isIdle(node); node = node.parent as TrieNode) {
        node.idleCost += tokens * this.costOfCell;
        if (node.idleCost < 1) break;
        this.#giveUp(node);
      }
    }
  }

  /** Gives up the least recently used leaf; one that a waiting request will need only when there is no other. */
  evict(): boolean {
    let victim: TrieNode | null = null;
    for (const node of this.#sequences.keys()) {
      if (node.users === 0 && (victim === null || goesBefore(node, victim))) victim = node;
    }
    if (victim === null) return false;
    this.#giveUp(victim);
    return true;
  }

  /** Frees the cells of a leaf that is not in use. */
  #giveUp(victim: TrieNode): void {
    const sequence = this.#sequences.get(victim) as number;
    const parent = victim.parent as TrieNode;
    this.#sequences.delete(victim);
    if (parent.parent !== null && this.#findSequence(parent) === null) {
      this.memory.trim(sequence, victim.start);
      this.#sequences.set(parent, sequence);
    } else {
      this.memory.trim(sequence, 0);
      this.#unused.push(sequence);
    }
    this.#room += victim.cached;
    this.#idle -= victim.cached;
    victim.cached = 0;
    this.#trie.prune(victim);
  }

  #newTrie(): PrefixTrie {
    return new PrefixTrie((upper, lower) => {
      if (lower.cached === 0) this.#move(lower, upper);
    });
  }

  #takeSequence(): number | null {
    while (this.#unused.length === 0) if (!this.evict()) return null;
    return this.#unused.pop() as number;
  }

  #copyPath(node: TrieNode, target: number, end: number): void {
    if (end > 0) this.memory.copy(this.#findSequence(node) as number, target, end);
  }

  /** A sequence that holds the way to `node`: its own or any below it. */
  #findSequence(node: TrieNode): number | null {
    const own = this.#sequences.get(node);
    if (own !== undefined) return own;
    for (const child of node.children.values()) {
      const found = this.#findSequence(child);
      if (found !== null) return found;
    }
    return null;
  }

  #move(from: TrieNode, to: TrieNode): boolean {
    const sequence = this.#sequences.get(from);
    if (sequence === undefined) return false;
    this.#sequences.delete(from);
    this.#sequences.set(to, sequence);
    return true;
  }
}

/** It is not in use, and neither it nor anything below it is waited for. */
const isIdle = ({ users, wanted, children }: TrieNode) => users === 0 && wanted === 0 && children.size === 0;

function goesBefore(a: TrieNode, b: TrieNode): boolean {
  const awaited = (node: TrieNode) => Number(node.wanted > 0 || node.children.size > 0);
  return awaited(a) - awaited(b) < 0 || (awaited(a) === awaited(b) && a.lastUsed < b.lastUsed);
}

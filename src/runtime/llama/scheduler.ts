/** Continuous batching: which tokens of which jobs are evaluated next. */
import type { Branch, KvCache } from "./kv-cache.js";
import { TrieNode } from "./prefix-trie.js";

/** Something that reads rows of logits, one after another, behind a prompt. */
export interface Job {
  /** At least one token. */
  readonly prompt: readonly number[];
  /** What comes after the prompt as far as it is known. Row i are the logits after the first i of them. */
  readonly tokens: readonly number[];
  /** Takes the next row, which is valid during the call only. @returns whether it was the last one needed */
  take(row: Float32Array): boolean;
  /** Its first token is about to be evaluated, or its first row to be taken. */
  begin?(): void;
}

/** What a decode ended with, as llama.h defines it. */
export type DecodeResult = "done" | "no-room" | "failed";

/** What of llama.cpp the scheduler needs: a batch that is put together token by token, and evaluated. */
export interface Decoder {
  /** Most tokens of one batch. */
  readonly batchSize: number;
  /** Most rows of logits of one batch. */
  readonly maxRows: number;
  /** Tokens in the batch so far. */
  readonly batched: number;
  /** Rows that the batch asks for so far. */
  readonly rows: number;
  /** Empties the batch. */
  reset(): void;
  /** Puts one token into the batch, which must have room. */
  add(token: number, position: number, sequence: number, wantsRow: boolean): void;
  /** Evaluates the batch. After "no-room" the cache is as it was before; after "failed" nobody knows how it is. */
  decode(): Promise<DecodeResult>;
  /** The logits after the i-th token that asked for them; valid until the next decode. */
  row(i: number): Float32Array;
}

/** Cells that each running job should find free when a new one starts, so that few have to be put back. */
const RESERVE = 32;

/** The share of all sequences that has to be free before prompts are evaluated, so that a batch has many of them. */
const STARTED_TOGETHER = 1 / 4;

interface Task {
  readonly job: Job;
  /** The end of its prompt. */
  readonly node: TrieNode;
  /** Rows that the job has taken. */
  rows: number;
  /** Its own cells, once its prompt is in the cache. */
  branch: Branch | null;
}

/**
 * Runs many jobs on one context: continuous batching. A decode takes one token of each job that generates, or the
 * prompts of those that start, several jobs at a time: a batch of both costs more than the two apart, by the
 * attention of prompt tokens to cells that others generate. What prompts share is evaluated once; a job whose prompt
 * another one is evaluating waits for it. When cells run out, what nobody uses is evicted, and then the job that
 * started last is put back: it keeps its tokens and evaluates them again later.
 */
export class Scheduler {
  /** Prompt tokens evaluated since it was made. */
  promptTokensEvaluated = 0;
  /** Milliseconds spent waiting for llama.cpp. */
  decoding = 0;
  /** Jobs done, and the rows they took. */
  #jobs = 0;
  #rows = 0;

  constructor(
    private readonly context: Decoder,
    private readonly cache: KvCache,
    /** Jobs that run at once. */
    private readonly sequences: number,
  ) {}

  /**
   * @param name what the prompts are evaluated under: the adapter
   * @throws `signal.reason` when aborted, at the latest after the decode that is running
   */
  async run(name: string, jobs: readonly Job[], signal?: AbortSignal): Promise<void> {
    const wanted = this.cache.want(
      name,
      jobs.map(({ prompt }) => prompt),
    );
    const tasks = jobs
      .map((job, i) => ({ job, ...(wanted[i] as { node: TrieNode; order: number }) }))
      .sort((a, b) => a.order - b.order)
      .map(({ job, node }): Task => ({ job, node, rows: 0, branch: null }));
    const rowsExpected = this.#jobs === 0 ? 0 : (tasks.length * this.#rows) / this.#jobs;
    this.cache.giveUpCostly(tokensMissing(tasks) + rowsExpected);
    const round = new Round(this.context, this.cache, this.sequences, tasks);
    let failed = false;
    try {
      while (!round.finished) {
        signal?.throwIfAborted();
        round.compose();
        const started = performance.now();
        failed = true;
        const result = await this.context.decode();
        this.decoding += performance.now() - started;
        if (result === "failed") throw new Error("llama.cpp failed to evaluate a batch");
        if (result === "no-room") round.giveUpOne();
        else this.promptTokensEvaluated += round.commit();
        failed = false;
      }
    } finally {
      round.end();
      this.#jobs += tasks.length;
      this.#rows += tasks.reduce((sum, { rows }) => sum + rows, 0);
      // What the cells hold after a failure is not known.
      if (failed) this.cache.clear();
    }
  }
}

/** A run of tokens in the batch: of a branch, or of a node where there is none. */
interface Part {
  readonly branch: Branch | null;
  readonly node: TrieNode;
  readonly tokens: number;
  readonly promptTokens: number;
}

/** The state of one `run`. */
class Round {
  readonly #waiting: Task[];
  /** In the order they started. */
  readonly #active: Task[] = [];
  /** The tasks that wait for the first row after a prompt: one row serves them all. */
  readonly #first = new Map<TrieNode, Task[]>();
  /**
   * Ends of prompts that differ from others in their last part only: questions under the same instructions. No
   * later prompt is likely to begin with one of them, so they are not kept.
   */
  readonly #tails: ReadonlySet<TrieNode>;
  readonly #parts: Part[] = [];
  /** Whose each row of the batch is: a task's, or of all that wait for the first row behind a prompt. */
  readonly #readers: (Task | TrieNode)[] = [];

  constructor(
    private readonly context: Decoder,
    private readonly cache: KvCache,
    private readonly sequences: number,
    tasks: Task[],
  ) {
    this.#waiting = tasks;
    const ends = new Set(tasks.map(({ node }) => node));
    const alike = new Map<TrieNode | null, number>();
    for (const { parent } of ends) alike.set(parent, (alike.get(parent) ?? 0) + 1);
    this.#tails = new Set([...ends].filter(({ parent }) => (alike.get(parent) as number) > 1));
    for (const task of tasks) {
      const others = this.#first.get(task.node);
      if (others === undefined) this.#first.set(task.node, [task]);
      else others.push(task);
    }
  }

  get finished(): boolean {
    return this.#waiting.length === 0 && this.#active.length === 0;
  }

  /** Puts together the next batch, prompts first; it has at least one token. */
  compose(): void {
    this.#empty();
    this.#start();
    for (const task of this.#active) if (task.branch === null) this.#fill(task);
    if (this.context.batched === 0)
      for (let i = 0; i < this.#active.length; i++) this.#continue(this.#active[i] as Task);
    while (this.context.batched === 0) {
      // Several are filling their prompts and none has room to go on.
      this.giveUpOne();
      for (const task of this.#active) if (task.branch === null) this.#fill(task);
    }
  }

  /** The batch has been evaluated: hands out its rows. @returns the prompt tokens in it */
  commit(): number {
    let promptTokens = 0;
    for (const part of this.#parts) {
      if (part.branch === null) this.cache.filled(part.node, part.tokens);
      else this.cache.extended(part.branch, part.tokens);
      promptTokens += part.promptTokens;
    }
    for (const [i, reader] of this.#readers.entries()) {
      const row = this.context.row(i);
      for (const task of reader instanceof TrieNode ? this.#takeFirst(reader) : [reader]) {
        task.rows++;
        if (task.job.take(row)) this.#finish(task);
      }
    }
    return promptTokens;
  }

  /** Frees cells: of what is not in use, or else of the job that started last. */
  giveUpOne(): void {
    if (this.cache.evict()) return;
    if (this.#active.length < 2) throw new Error("llama.cpp found no room in an empty cache");
    this.#putBack();
  }

  /** Leaves nothing behind but what prompts share. */
  end(): void {
    for (const task of [...this.#active, ...this.#waiting]) this.#finish(task);
  }

  #empty(): void {
    this.context.reset();
    this.#parts.length = 0;
    this.#readers.length = 0;
  }

  /** Starts waiting tasks for as long as there are cells for their prompts. */
  #start(): void {
    const free = this.sequences - this.#active.length;
    const fewest = Math.min(this.#waiting.length, this.sequences * STARTED_TOGETHER);
    if (this.#active.length > 0 && free < fewest && missing(this.#waiting[0] as Task) > 1) return;
    let promised = 0;
    for (const task of this.#active) if (task.branch === null) promised += missing(task);
    while (this.#waiting.length > 0 && this.#active.length < this.sequences) {
      const task = this.#waiting[0] as Task;
      this.cache.retain(task.node);
      promised += missing(task) + RESERVE;
      if (this.#active.length > 0 && promised + RESERVE * this.#active.length > this.cache.available) {
        this.cache.release(task.node);
        return;
      }
      this.#waiting.shift();
      this.#active.push(task);
      task.job.begin?.();
    }
  }

  /** Puts into the batch what a task with a complete prompt has to evaluate next. */
  #continue(task: Task): void {
    if (task.branch === null && !this.#branchOff(task)) return;
    const { branch, node, job } = task as Task & { branch: Branch };
    const known = node.end + job.tokens.length;
    let position = branch.end;
    while (position < known && this.context.batched < this.context.batchSize) {
      const row = position - (node.end - 1);
      if (row >= task.rows && this.context.rows === this.context.maxRows) break;
      if (!this.#makeRoomFor(task)) return;
      const token = position < node.end ? job.prompt[position] : job.tokens[position - node.end];
      this.context.add(token as number, position, branch.sequence, row >= task.rows);
      if (row >= task.rows) this.#readers.push(row === 0 ? node : task);
      position++;
    }
    const tokens = position - branch.end;
    const promptTokens = Math.max(0, Math.min(position, node.end) - branch.end);
    if (tokens > 0) this.#parts.push({ branch, node, tokens, promptTokens });
  }

  /** @returns whether the task has a branch now */
  #branchOff(task: Task): boolean {
    const { node } = task;
    if (!node.complete) return false;
    // The prompt was in the cache before: its last token is evaluated again for the row behind it, by one task.
    const again = task.rows === 0;
    if (again && this.#active.some((other) => other.node === node && other.branch !== null)) return false;
    task.branch = this.cache.fork(node, again ? node.end - 1 : node.end);
    return task.branch !== null;
  }

  /** One more cell, if need be from the tasks that started last; they are not in the batch yet. */
  #makeRoomFor(task: Task): boolean {
    while (!this.cache.makeRoom(this.context.batched + 1)) {
      const last = this.#active.at(-1);
      this.#putBack();
      if (last === task) return false;
    }
    return true;
  }

  /** Puts prompt tokens of a task into the batch: the first edge on its way that is not in the cache. */
  #fill(task: Task): void {
    const node = task.node.path().find(({ complete }) => !complete);
    if (node === undefined || this.#parts.some((part) => part.branch === null && part.node === node)) return;
    const room = this.cache.available - this.context.batched;
    const left = node.edge.length - node.cached;
    let tokens = Math.min(left, this.context.batchSize - this.context.batched, room);
    const wantsRow = this.#first.has(node);
    if (tokens === left && wantsRow && this.context.rows === this.context.maxRows) tokens--;
    if (tokens <= 0 || !this.cache.makeRoom(this.context.batched + tokens)) return;
    const sequence = this.cache.sequenceOf(node);
    if (sequence === null) return;
    for (let i = node.cached; i < node.cached + tokens; i++) {
      const last = i === node.edge.length - 1;
      this.context.add(node.edge[i] as number, node.start + i, sequence, last && wantsRow);
    }
    if (tokens === left && wantsRow) this.#readers.push(node);
    this.#parts.push({ branch: null, node, tokens, promptTokens: tokens });
  }

  #takeFirst(node: TrieNode): Task[] {
    const tasks = this.#first.get(node) ?? [];
    this.#first.delete(node);
    return tasks;
  }

  #putBack(): void {
    const task = this.#active.pop() as Task;
    this.#stop(task);
    this.#waiting.unshift(task);
  }

  #finish(task: Task): void {
    const at = this.#active.indexOf(task);
    if (at >= 0) {
      this.#active.splice(at, 1);
      this.#stop(task);
    } else {
      this.#waiting.splice(this.#waiting.indexOf(task), 1);
    }
    this.cache.unwant(task.node);
    if (this.#tails.has(task.node)) this.cache.drop(task.node);
  }

  #stop(task: Task): void {
    if (task.branch !== null) this.cache.close(task.branch);
    task.branch = null;
    this.cache.release(task.node);
  }
}

/** Prompt tokens of all these tasks that are not in the cache. */
function tokensMissing(tasks: readonly Task[]): number {
  const nodes = new Set(tasks.flatMap(({ node }) => node.path()));
  return Array.from(nodes, ({ edge, cached }) => edge.length - cached).reduce((sum, left) => sum + left, 0);
}

/** Tokens that a task has to evaluate before it can go on. */
function missing(task: Task): number {
  let tokens = task.job.tokens.length + 1;
  for (const node of task.node.path()) tokens += node.edge.length - node.cached;
  return tokens;
}

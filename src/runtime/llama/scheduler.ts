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
  /**
   * Guesses of what comes after `tokens`, at most so many. They are evaluated in the same decode, and as many are kept as
   * come true; what `take` is given is the same with them and without, up to floating point.
   */
  draft?(most: number): readonly number[];
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

/**
 * Tokens of a decode up to which drafts are worth their evaluation, shared by all jobs: a decode of few tokens takes as
 * long as reading the weights does, one of more takes as long as its arithmetic.
 */
const WITH_DRAFTS = 8;

interface JobState {
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
    const states = jobs
      .map((job, i) => ({ job, ...(wanted[i] as { node: TrieNode; order: number }) }))
      .sort((a, b) => a.order - b.order)
      .map(({ job, node }): JobState => ({ job, node, rows: 0, branch: null }));
    const rowsExpected = this.#jobs === 0 ? 0 : (states.length * this.#rows) / this.#jobs;
    this.cache.giveUpCostly(tokensMissing(states) + rowsExpected);
    const run = new SchedulerRun(this.context, this.cache, this.sequences, states);
    let failed = false;
    try {
      while (!run.finished) {
        signal?.throwIfAborted();
        run.compose();
        const started = performance.now();
        failed = true;
        const result = await this.context.decode();
        this.decoding += performance.now() - started;
        if (result === "failed") throw new Error("llama.cpp failed to evaluate a batch");
        if (result === "no-room") run.giveUpOne();
        else this.promptTokensEvaluated += run.commit();
        failed = false;
      }
    } finally {
      run.end();
      this.#jobs += states.length;
      this.#rows += states.reduce((sum, { rows }) => sum + rows, 0);
      // What the cells hold after a failure is not known.
      if (failed) this.cache.clear();
    }
  }
}

/** Who reads a row of the batch. */
interface Reader {
  /** One job, or all that wait for the first row after a prompt. */
  readonly of: JobState | TrieNode;
  /** The row is of this draft: it is read if the job has come to the same token. */
  readonly draft?: number;
}

/** A run of tokens in the batch: of a branch, or of a node where there is none. */
interface Part {
  readonly branch: Branch | null;
  readonly node: TrieNode;
  readonly tokens: number;
  readonly promptTokens: number;
}

/** The state of one `run`. */
class SchedulerRun {
  readonly #waiting: JobState[];
  /** In the order they started. */
  readonly #active: JobState[] = [];
  /** The jobs that wait for the first row after a prompt: one row serves them all. */
  readonly #first = new Map<TrieNode, JobState[]>();
  /**
   * Ends of prompts that differ from others in their last part only: questions under the same instructions. No
   * later prompt is likely to begin with one of them, so they are not kept.
   */
  readonly #tails: ReadonlySet<TrieNode>;
  readonly #parts: Part[] = [];
  /** Of each row of the batch. */
  readonly #readers: Reader[] = [];
  /** Jobs with drafts in the batch. */
  readonly #drafting = new Set<JobState>();

  constructor(
    private readonly context: Decoder,
    private readonly cache: KvCache,
    private readonly sequences: number,
    states: JobState[],
  ) {
    this.#waiting = states;
    const ends = new Set(states.map(({ node }) => node));
    const alike = new Map<TrieNode | null, number>();
    for (const { parent } of ends) alike.set(parent, (alike.get(parent) ?? 0) + 1);
    this.#tails = new Set([...ends].filter(({ parent }) => (alike.get(parent) as number) > 1));
    for (const state of states) {
      const others = this.#first.get(state.node);
      if (others === undefined) this.#first.set(state.node, [state]);
      else others.push(state);
    }
  }

  get finished(): boolean {
    return this.#waiting.length === 0 && this.#active.length === 0;
  }

  /** Puts together the next batch, prompts first; it has at least one token. */
  compose(): void {
    this.#empty();
    this.#start();
    for (const state of this.#active) if (state.branch === null) this.#fill(state);
    if (this.context.batched === 0)
      for (let i = 0; i < this.#active.length; i++) this.#continue(this.#active[i] as JobState);
    while (this.context.batched === 0) {
      // Several are filling their prompts and none has room to go on.
      this.giveUpOne();
      for (const state of this.#active) if (state.branch === null) this.#fill(state);
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
    const over = new Set<JobState>();
    for (const [i, { of, draft }] of this.#readers.entries()) {
      const row = this.context.row(i);
      for (const state of of instanceof TrieNode ? this.#takeFirst(of) : [of]) {
        if (draft !== undefined && state.job.tokens.at(-1) !== draft) over.add(state);
        if (over.has(state)) continue;
        state.rows++;
        if (!state.job.take(row)) continue;
        over.add(state);
        this.#finish(state);
      }
    }
    for (const { branch, node, job } of this.#drafting)
      if (branch !== null) this.cache.shorten(branch, node.end + job.tokens.length - 1);
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
    for (const state of [...this.#active, ...this.#waiting]) this.#finish(state);
  }

  #empty(): void {
    this.context.reset();
    this.#parts.length = 0;
    this.#readers.length = 0;
    this.#drafting.clear();
  }

  /** Starts waiting jobs for as long as there are cells for their prompts. */
  #start(): void {
    const free = this.sequences - this.#active.length;
    const fewest = Math.min(this.#waiting.length, this.sequences * STARTED_TOGETHER);
    if (this.#active.length > 0 && free < fewest && missing(this.#waiting[0] as JobState) > 1) return;
    let promised = 0;
    for (const state of this.#active) if (state.branch === null) promised += missing(state);
    while (this.#waiting.length > 0 && this.#active.length < this.sequences) {
      const state = this.#waiting[0] as JobState;
      this.cache.retain(state.node);
      promised += missing(state) + RESERVE;
      if (this.#active.length > 0 && promised + RESERVE * this.#active.length > this.cache.available) {
        this.cache.release(state.node);
        return;
      }
      this.#waiting.shift();
      this.#active.push(state);
      state.job.begin?.();
    }
  }

  /** Puts into the batch what a job with a complete prompt has to evaluate next. */
  #continue(state: JobState): void {
    if (state.branch === null && !this.#branchOff(state)) return;
    const { branch, node, job } = state as JobState & { branch: Branch };
    const known = node.end + job.tokens.length;
    let position = branch.end;
    while (position < known && this.context.batched < this.context.batchSize) {
      const row = position - (node.end - 1);
      if (row >= state.rows && this.context.rows === this.context.maxRows) break;
      if (!this.#makeRoomFor(state)) return;
      const token = position < node.end ? job.prompt[position] : job.tokens[position - node.end];
      this.context.add(token as number, position, branch.sequence, row >= state.rows);
      if (row >= state.rows) this.#readers.push({ of: row === 0 ? node : state });
      position++;
    }
    if (position === known) position += this.#addDrafts(state, branch.sequence, position);
    const tokens = position - branch.end;
    const promptTokens = Math.max(0, Math.min(position, node.end) - branch.end);
    if (tokens > 0) this.#parts.push({ branch, node, tokens, promptTokens });
  }

  /** Puts into the batch what a job guesses to come next, as far as there is room. @returns how many tokens that are */
  #addDrafts(state: JobState, sequence: number, position: number): number {
    const { job } = state;
    const most = Math.min(
      Math.floor(WITH_DRAFTS / this.#active.length) - 1,
      this.context.batchSize - this.context.batched,
      this.context.maxRows - this.context.rows,
    );
    const drafts = most <= 0 || job.tokens.length === 0 ? [] : (job.draft?.(most) ?? []);
    // The others still have a token each to come.
    const needed = this.context.batched + drafts.length + this.#active.length;
    if (drafts.length === 0 || !this.cache.makeRoom(needed)) return 0;
    this.#drafting.add(state);
    for (const [i, draft] of drafts.entries()) {
      this.context.add(draft, position + i, sequence, true);
      this.#readers.push({ of: state, draft });
    }
    return drafts.length;
  }

  /** @returns whether the job has a branch now */
  #branchOff(state: JobState): boolean {
    const { node } = state;
    if (!node.complete) return false;
    // The prompt was in the cache before: its last token is evaluated again for the row after it, by one job.
    const again = state.rows === 0;
    if (again && this.#active.some((other) => other.node === node && other.branch !== null)) return false;
    state.branch = this.cache.fork(node, again ? node.end - 1 : node.end);
    return state.branch !== null;
  }

  /** One more cell, if need be from the jobs that started last; they are not in the batch yet. */
  #makeRoomFor(state: JobState): boolean {
    while (!this.cache.makeRoom(this.context.batched + 1)) {
      const last = this.#active.at(-1);
      this.#putBack();
      if (last === state) return false;
    }
    return true;
  }

  /** Puts prompt tokens of a job into the batch: the first edge on its way that is not in the cache. */
  #fill(state: JobState): void {
    const node = state.node.path().find(({ complete }) => !complete);
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
    if (tokens === left && wantsRow) this.#readers.push({ of: node });
    this.#parts.push({ branch: null, node, tokens, promptTokens: tokens });
  }

  #takeFirst(node: TrieNode): JobState[] {
    const states = this.#first.get(node) ?? [];
    this.#first.delete(node);
    return states;
  }

  #putBack(): void {
    const state = this.#active.pop() as JobState;
    this.#stop(state);
    this.#waiting.unshift(state);
  }

  #finish(state: JobState): void {
    const at = this.#active.indexOf(state);
    if (at >= 0) {
      this.#active.splice(at, 1);
      this.#stop(state);
    } else {
      this.#waiting.splice(this.#waiting.indexOf(state), 1);
    }
    this.cache.unwant(state.node);
    if (this.#tails.has(state.node)) this.cache.drop(state.node);
  }

  #stop(state: JobState): void {
    if (state.branch !== null) this.cache.close(state.branch);
    state.branch = null;
    this.cache.release(state.node);
  }
}

/** Prompt tokens of all these jobs that are not in the cache. */
function tokensMissing(states: readonly JobState[]): number {
  const nodes = new Set(states.flatMap(({ node }) => node.path()));
  return Array.from(nodes, ({ edge, cached }) => edge.length - cached).reduce((sum, left) => sum + left, 0);
}

/** Tokens that a job has to evaluate before it can go on. */
function missing(state: JobState): number {
  let tokens = state.job.tokens.length + 1;
  for (const node of state.node.path()) tokens += node.edge.length - node.cached;
  return tokens;
}

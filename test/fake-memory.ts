import { expect } from "vitest";
import type { CellMemory } from "#lse/runtime/llama/kv-cache.js";

/** llama.cpp's unified cache to the letter: each cell has a position and the set of sequences it belongs to. */
export class FakeMemory implements CellMemory {
  cells: { position: number; token: number; sequences: Set<number> }[] = [];

  constructor(readonly size: number) {}

  write(sequence: number, position: number, token: number): void {
    expect(this.tokens(sequence).length).toBe(position);
    this.cells.push({ position, token, sequences: new Set([sequence]) });
    expect(this.cells.length).toBeLessThanOrEqual(this.size);
  }

  copy(source: number, target: number, end: number): void {
    expect(this.tokens(target)).toEqual([]);
    for (const { position, sequences } of this.cells) {
      if (sequences.has(source) && position < end) sequences.add(target);
    }
  }

  trim(sequence: number, from: number): void {
    for (const cell of this.cells) if (cell.position >= from) cell.sequences.delete(sequence);
    this.cells = this.cells.filter(({ sequences }) => sequences.size > 0);
  }

  clear(): void {
    this.cells = [];
  }

  tokens(sequence: number): number[] {
    const own = this.cells.filter(({ sequences }) => sequences.has(sequence));
    return own.sort((a, b) => a.position - b.position).map(({ token }) => token);
  }
}

import { expect } from "vitest";
import { MemoryJournal } from "#lse/journal/journal.js";
import { dyingAfter, isEdit, type ScriptedModel } from "./fakes.js";

/** A run that can be made with any model and journal. */
export interface Resumable {
  /** A model of which so many edits were written already. */
  model(written: number): ScriptedModel;
  /** Makes the run. @returns its tree, as its file has it */
  run(model: ScriptedModel, journal: MemoryJournal): Promise<string>;
}

/** Kills a run after each of so many requests: it has to end with the unbroken run's tree, and to pay for nothing twice. */
export async function expectResumes({ model, run }: Resumable, requests: readonly number[]): Promise<void> {
  const unbroken = model(0);
  const tree = await run(unbroken, new MemoryJournal());
  for (const alive of requests) {
    const journal = new MemoryJournal();
    const mortal = dyingAfter(alive, model(0));
    await expect(run(mortal, journal)).rejects.toThrow("killed");
    const again = model(mortal.requests.filter(isEdit).length);
    expect(await run(again, journal)).toBe(tree);
    expect(mortal.requests.length + again.requests.length).toBe(unbroken.requests.length);
  }
}

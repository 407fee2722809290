/** Runs that are collected, as they go on: a bar over all of them, and a line for each that is over. */
import type { CollectHooks } from "../runs/collect.js";
import type { Progress } from "./progress.js";

export const collectHooks = (progress: Progress): CollectHooks => ({
  onStart: (answers, done) => progress.start(answers, done),
  onEvent: (event) => {
    if (event.type === "answer") progress.tick();
    if (event.type === "warning") progress.say(`warning: ${event.text}`);
  },
  onRunOver: ({ folder, evolution: { tree } }) =>
    progress.say(`${folder.path}: ${tree.root.score.toFixed(3)} → ${tree.best().score.toFixed(3)}`),
});

import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, expect, it } from "vitest";
import { lse, startLse } from "../cli.js";
import { describeWithShared, sharedPath } from "../shared.js";
import { describeWithModel, REAL_MODELS, type RealModelName, realModel } from "./models.js";

const DATABASE = "bird/dev/dev_databases/superhero/superhero.sqlite";
const folder = mkdtempSync(join(tmpdir(), "lse-real-"));
const path = (name: string) => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true }));

/** One round on BIRD's superhero, with settings that need no measuring. */
const options = (name: RealModelName, ...others: string[]) =>
  [
    ["--data", sharedPath("bird/dev"), "--db", "superhero", "--cache", path("cache")],
    ["--model", realModel(name), "--context", "4096", "--threads", "1", "--gpu-layers", "0"],
    ["--decode-batch", "256", "--sequences", "8", "--flash-attention"],
    ["--rounds", "1", "--tries", "1", "--test", "0", "--seed", "7"],
    others,
  ].flat();

const read = (run: string, file: string) => readFileSync(join(path(run), file), "utf8");

/** Texts of a run's completions in alphabetical order, half a line at the journal's end aside. */
function completions(run: string): string[] {
  const file = join(path(run), "events.jsonl");
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, "utf8").split("\n").slice(0, -1);
  const events = lines.map((line) => JSON.parse(line)).filter(({ type }) => type === "generation");
  return events.map(({ completion }) => completion.text).sort();
}

describeWithShared("lse evolve on real questions", [DATABASE], () => {
  for (const model of REAL_MODELS) {
    describeWithModel(`with ${model.name}`, model.name, () => {
      it("makes a round", () => {
        const template = "template" in model ? ["--template", model.template] : [];
        const tiny = ["--holdout", "2", "--batch", "1", "--max-tokens", "16"];
        const { status, stdout, stderr } = lse(
          "evolve",
          ...options(model.name, ...tiny, ...template),
          "--out",
          path(model.name),
          "--json",
        );
        expect(stderr).not.toContain("lse:");
        expect(status).toBe(0);
        expect(JSON.parse(stdout).stop_reason).toBe("all rounds were done");
        const tree = JSON.parse(read(model.name, "tree.json"));
        expect(tree.total_selections).toBe(1);
        expect(completions(model.name).length).toBeGreaterThanOrEqual(4);
      });
    });
  }

  describeWithModel("killed and resumed, with qwen2.5-coder-0.5b", "qwen2.5-coder-0.5b", () => {
    const budget = ["--holdout", "3", "--batch", "3", "--max-tokens", "48"];
    const run = ["evolve", ...options("qwen2.5-coder-0.5b", ...budget)];

    it("ends with the tree of an unbroken run", async () => {
      expect(lse(...run, "--out", path("whole"))).toMatchObject({ status: 0 });
      const child = startLse(...run, "--out", path("killed"));
      while (completions("killed").length < 2 && child.exitCode === null) await sleep(5);
      child.kill("SIGKILL");
      await once(child, "exit");
      const before = completions("killed").length;
      expect(before).toBeGreaterThan(0);
      expect(before).toBeLessThan(completions("whole").length);

      expect(lse("evolve", "--resume", path("killed"))).toMatchObject({ status: 0 });
      expect(read("killed", "tree.json")).toBe(read("whole", "tree.json"));
      // The answers to the letter: with so few, all scores may be 0.
      expect(completions("killed")).toEqual(completions("whole"));
    });
  });
});

import { readdirSync } from "node:fs";
import { expect, it } from "vitest";
import { readSubject } from "#lse/mmlu/dataset.js";
import { subjectsIn } from "#lse/mmlu/folders.js";
import { SUBJECTS } from "#lse/mmlu/subjects.js";
import { readTable } from "#lse/mmlu/tables.js";
import { MmluTask } from "#lse/mmlu/task.js";
import { describeWithShared, sharedPath } from "../shared.js";

const PRO = "mmlu/mmlu-pro-redux";

/** Rows of the published folders; their dataset_info.json does not say. */
const ROWS = { biology: 498, business: 634, computer_science: 136, math: 505, psychology: 305 };

describeWithShared("MMLU-Pro-Redux as published", [PRO], () => {
  const root = sharedPath(PRO);

  it("every folder is a subject that is known by name", () => {
    expect(subjectsIn(root)).toEqual(Object.keys(ROWS));
    for (const subject of subjectsIn(root)) expect(SUBJECTS["MMLU-Pro-Redux"]).toContain(subject);
  });

  it.each(
    Object.entries(ROWS),
  )("%s: %i questions of four choices, which pass their own golds", async (subject, count) => {
    await using task = await MmluTask.open({ dataPath: root, subject, goldRules: "corrected" });
    expect(task.problemIds).toHaveLength(count);
    expect(await task.validate()).toEqual({ total: count, passed: count, failures: [] });
    const corrected = await readSubject(root, subject, "corrected");
    expect(corrected.dropped).toBe(0);
    expect(corrected.questions.every(({ choices }) => choices.length === 4)).toBe(true);
    expect(await readSubject(root, subject, "published")).toEqual(corrected);
  });

  it("golds are the rows' answers, which their corrections repeat", async () => {
    const folder = `${root}/biology`;
    const [file] = readdirSync(folder).filter((name) => name.endsWith(".arrow"));
    const rows = await readTable(`${folder}/${file}`);
    const { questions } = await readSubject(folder, "biology", "corrected");
    expect(questions.map(({ gold }) => "ABCD".indexOf(gold))).toEqual(rows.map(({ answer }) => answer));
    expect(rows.map(({ correct_answer }) => Number(correct_answer))).toEqual(
      rows.map(({ answer }) => answer),
    );
    expect(questions[0]).toMatchObject({ question: expect.stringMatching(/genetic drift/), gold: "C" });
  });
});

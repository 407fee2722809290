/** `lse report`: the page of runs as one file. */
import { statSync } from "node:fs";
import { join } from "node:path";
import { Command } from "@commander-js/extra-typings";
import { replaceFile } from "../lib/files.js";
import { printableLine } from "../lib/printable.js";
import { reportHtml } from "../report/html.js";
import { ReportSource } from "../runs/report-source.js";

export function reportCommand() {
  return new Command("report")
    .description(
      "a page that shows runs: tree, edits, problems, comparison; one HTML file that needs no network",
    )
    .argument("<runs...>", "folders of runs or of trainings, or folders of such folders")
    .option("--out <file>", "the page (report.html, in the run's folder if there is one run)")
    .action(async (paths, { out }) => {
      await using source = new ReportSource(paths);
      for (const failure of await source.openTasks()) console.error(printableLine(failure));
      const data = source.read();
      const [only, ...others] = paths;
      const isOne = others.length === 0 && data.runs.length === 1;
      const file = out ?? (isOne ? join(only as string, "report.html") : "report.html");
      replaceFile(file, reportHtml(data));
      console.log(`${file} (${(statSync(file).size / 1e6).toFixed(1)} MB)`);
    });
}

/**
 * Draws the pictures of the README: a run of 25 rounds in the miniature world, and four methods compared.
 *
 *   npm run screenshots
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { launchBrowser } from "../test/browser.js";

const at = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "lse-screenshots-"));
const { bin } = createRequire(import.meta.url)("../package.json") as { bin: { lse: string } };
const lse = (...options: string[]) =>
  execFileSync(process.execPath, [at(bin.lse), ...options], {
    stdio: ["ignore", "ignore", "inherit"],
  });
const OPTIONS = [
  "--task",
  "mini",
  "--db",
  "test/3",
  "--model",
  at("models/mini.gguf"),
  "--batch",
  "5",
  "--seed",
  "1",
  "--gpu-layers",
  "0",
  "--sequences",
  "32",
  "--decode-batch",
  "512",
  "--flash-attention",
  "--threads",
  "1",
];

lse(
  "evolve",
  ...OPTIONS,
  "--rounds",
  "25",
  "--holdout",
  "40",
  "--samples",
  "2",
  "--out",
  join(folder, "run"),
);
for (const method of ["ucb", "chain", "best", "gepa"]) {
  const shape = ["--rounds", "12", "--holdout", "20", "--spend-all", "--method", method];
  lse("evolve", ...OPTIONS, ...shape, "--out", join(folder, "methods", method));
}
lse("report", join(folder, "run"), "--out", join(folder, "run.html"));
lse("report", join(folder, "methods"), "--out", join(folder, "comparison.html"));

const browser = await launchBrowser();
if (browser !== null) {
  for (const [name, height] of [
    ["run", 1060],
    ["comparison", 1110],
  ] as const) {
    const page = await browser.newPage({ viewport: { width: 1100, height } });
    await page.goto(pathToFileURL(join(folder, `${name}.html`)).href);
    await page.waitForSelector(".chart svg");
    await page.screenshot({ path: at(`docs/report-${name}.png`) });
  }
  await browser.close();
}
rmSync(folder, { recursive: true });

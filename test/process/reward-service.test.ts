import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, request, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { JournalFile } from "#lse/journal/journal-file.js";
import { serveUntil } from "#lse/lib/listen.js";
import { MAX_BODY_BYTES, type RewardServiceOptions, rewardService } from "#lse/train/reward-service.js";
import { editStates } from "#lse/train/rl/edit-states.js";
import { exportVerl } from "#lse/train/verl.js";
import { MAIN } from "../cli.js";
import { answersByInstructions, ScriptedModel } from "../fakes.js";
import { savedRun } from "../saved-run.js";

const folder = mkdtempSync(join(tmpdir(), "lse-reward-"));
afterAll(() => rmSync(folder, { recursive: true }));
const states = editStates([savedRun("runs/a", [2, 1]), savedRun("runs/b", [0, 3])], "reverse", 1);
const KNOWS_THREE = "Better:\n<prompt>known: 100 0 1 2</prompt>";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function serve(options: Partial<RewardServiceOptions> = {}) {
  const policy = new ScriptedModel(answersByInstructions);
  const journal = new JournalFile(join(folder, `rewards-${Math.random()}.jsonl`));
  const server = rewardService({
    states,
    policy,
    together: 8,
    waiting: 8,
    token: null,
    journal,
    ...options,
  });
  servers.push(server.listen(0, "127.0.0.1"));
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const post = async (body: unknown, headers: Record<string, string> = {}) => {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    const response = await fetch(`${url}/reward`, {
      method: "POST",
      body: text,
      headers: { "Content-Type": "application/json", ...headers },
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown>, response };
  };
  return { url, post, policy, journal, server };
}

describe("the reward server", () => {
  it("answers with what training would reward, and computes it once", async () => {
    const { post, policy, journal, url } = await serve();
    const ask = { state: "a/0", completion: KNOWS_THREE };
    const all = await Promise.all([post(ask), post(ask), post({ ...ask, state: "b/1" })]);
    expect(all.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(all[0]?.body).toEqual({
      reward: 0.25,
      score: 0.75,
      performance: 0.5,
      invalid: false,
      standard_error: Math.hypot(0.25, 0.1),
    });
    expect(all[1]?.body).toEqual(all[0]?.body);
    expect(all[2]?.body).toMatchObject({ reward: 0, performance: 0.75 });
    expect(policy.requests).toHaveLength(4);

    expect((await post({ state: "a/0", completion: "no tags" })).body).toEqual({
      reward: -1,
      score: -1,
      performance: 0.5,
      invalid: true,
      standard_error: null,
    });
    expect((await post(ask)).body).toEqual(all[0]?.body);
    expect(policy.requests).toHaveLength(4);
    expect(await (await fetch(`${url}/health`)).json()).toEqual({ states: 4, waiting: 0 });

    // Another server with the same file knows it all.
    const again = await serve({ journal: new JournalFile(journal.path) });
    expect((await again.post(ask)).body).toEqual(all[0]?.body);
    expect(again.policy.requests).toHaveLength(0);
  });

  it.each([
    ["no JSON", "{", 400, /not JSON/],
    ["other fields", { state: "a/0" }, 400, /completion/],
    ["an unknown node", { state: "c/7", completion: "" }, 404, /"c\/7".*same configuration/],
    ["a body without end", "x".repeat(MAX_BODY_BYTES + 1), 413, /longer than 1048576 bytes/],
  ])("refuses %s", async (_, body, status, message) => {
    const { post } = await serve();
    const found = await post(body);
    expect(found.status).toBe(status);
    expect(found.body.error).toMatch(message);
  });

  it("refuses other paths and methods", async () => {
    const { url } = await serve();
    expect((await fetch(`${url}/reward`)).status).toBe(405);
    expect((await fetch(`${url}/`)).status).toBe(404);
  });

  it.each<[Record<string, string>, number]>([
    [{ Host: "evil.example" }, 403],
    [{ Host: "evil.example:8642" }, 403],
    [{ Host: "127.0.0.1.evil.example" }, 403],
    [{ Origin: "https://evil.example" }, 403],
    [{ Origin: "null" }, 403],
    [{ "Sec-Fetch-Site": "cross-site" }, 403],
    [{ "Sec-Fetch-Site": "same-site" }, 403],
    [{ "Content-Type": "text/plain" }, 415],
    [{ "Content-Type": "application/x-www-form-urlencoded" }, 415],
    [{ "Content-Type": "application/jsonp" }, 415],
    [{ Host: "localhost:1", "Content-Type": "application/json; charset=utf-8" }, 200],
    [{ Host: "[::1]:1", "Sec-Fetch-Site": "none" }, 200],
  ])("answers a request with %j by %i", async (headers, status) => {
    const { url, policy } = await serve();
    const body = JSON.stringify({ state: "a/0", completion: KNOWS_THREE });
    const all = { "Content-Type": "application/json", ...headers };
    const asking = request(`${url}/reward`, { method: "POST", headers: all }).end(body);
    const [response] = (await once(asking, "response")) as [IncomingMessage];
    response.resume();
    expect(response.statusCode).toBe(status);
    expect(policy.requests.length > 0).toBe(status === 200);
  });

  it("wants the token, wherever", async () => {
    const { post, url } = await serve({ token: "secret" });
    const ask = { state: "a/0", completion: KNOWS_THREE };
    expect((await post(ask)).status).toBe(401);
    expect((await post(ask, { Authorization: "Bearer secre" })).status).toBe(401);
    expect((await fetch(`${url}/health`)).status).toBe(401);
    expect((await post(ask, { Authorization: "Bearer secret" })).status).toBe(200);
  });

  it("tells callers to come back when too many wait, and survives one that hangs up", async () => {
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const policy = new ScriptedModel(answersByInstructions);
    const generate = policy.generate.bind(policy);
    policy.generate = async (...request) => {
      await held;
      return await generate(...request);
    };
    const { post, url } = await serve({ policy, together: 1, waiting: 1 });
    const ask = (i: number) => post({ state: "a/0", completion: `<prompt>known: 100 ${i} 0 1</prompt>` });
    const first = ask(2);
    await expect.poll(async () => await (await fetch(`${url}/health`)).json()).toMatchObject({ waiting: 0 });
    // The first is being scored or about to be; of the next two only one may wait.
    const next = [ask(3), ask(4)];
    const refused = await Promise.race(next);
    expect(refused.status).toBe(503);
    expect(refused.response.headers.get("retry-after")).toBe("5");
    const socket = connect(Number(new URL(url).port), "127.0.0.1");
    socket.write("POST /reward HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{");
    socket.destroy();
    release();
    expect((await first).status).toBe(200);
    expect((await Promise.all(next)).map(({ status }) => status).sort()).toEqual([200, 503]);
  });

  it("reports what went wrong with the policy, and tries again when asked again", async () => {
    let broken = true;
    const policy = new ScriptedModel((request) => {
      if (broken) throw new Error("the model is gone");
      return answersByInstructions(request);
    });
    const { post } = await serve({ policy });
    const ask = { state: "a/0", completion: KNOWS_THREE };
    expect(await post(ask)).toMatchObject({ status: 500, body: { error: "the model is gone" } });
    broken = false;
    expect((await post(ask)).status).toBe(200);
  });

  it("is asked by the function that verl calls, again after a cut connection", async ({ skip }) => {
    const { url, server, policy } = await serve({ token: "secret" });
    let cuts = 0;
    server.prependListener("request", (_request, response) => {
      if (cuts++ === 0) response.destroy();
    });
    await exportVerl(join(folder, "python"), { training: states, validation: [] });
    const call =
      "import json, lse_reward; print(json.dumps(lse_reward.compute_score('lse/x', TEXT, 'a/0', {})))";
    const code = call.replace("TEXT", JSON.stringify(KNOWS_THREE));
    if (spawnSync("python3", ["--version"]).error !== undefined) {
      console.warn("skipped lse_reward.py: there is no python3");
      return skip();
    }
    // Not waiting for it on this thread: the server is in this process.
    const child = spawn("python3", ["-c", code], {
      cwd: join(folder, "python"),
      env: { ...process.env, LSE_REWARD_URL: url, LSE_REWARD_TOKEN: "secret" },
    });
    let output = "";
    child.stdout.on("data", (text) => {
      output += text;
    });
    await once(child, "close");
    const [first, last] = output.trim().split("\n");
    expect(first).toMatch(/no answer .*trying again in 1 s/);
    expect(JSON.parse(last ?? "")).toEqual({ score: 0.25, holdout_score: 0.75, invalid: 0 });
    // The four problems of the holdout, once.
    expect(policy.requests).toHaveLength(4);
  });
});

describe("lse reward-server", () => {
  const run = (out: string, ...options: string[]) =>
    spawnSync(process.execPath, [MAIN, "reward-server", "--config", "none.json", "--out", out, ...options], {
      encoding: "utf8",
      env: { ...process.env, LSE_REWARD_TOKEN: "" },
    });

  it("leaves a file that is not its own as it is", () => {
    const out = join(folder, "precious.json");
    const event = JSON.stringify({ type: "round", key: "1", round: 1, selected: 0 });
    for (const [content, message] of [
      ['{"precious": "no newline at the end"}', /^lse: .*precious\.json: this is not a journal of lse.*\n$/],
      ['{"precious": 1}\n', /^lse: .*precious\.json: line 1 is not an event.*\n$/],
      [`${event}\n`, /^lse: .*precious\.json: this is the journal of a run.*\n$/],
    ] as const) {
      writeFileSync(out, content);
      const { status, stderr } = run(out);
      expect(status).toBe(1);
      expect(stderr).toMatch(message);
      expect(readFileSync(out, "utf8")).toBe(content);
    }
  });

  it.each([
    [["--port", "-1"], /whole number from 0 to 65535/],
    [["--port", "70000"], /whole number from 0 to 65535/],
    [["--port", "http"], /whole number from 0 to 65535/],
    [["--host", "0.0.0.0"], /can be reached from other machines, and there is no token/],
  ])("refuses %j in one line", (options, message) => {
    const { status, stderr } = run(join(folder, "none.jsonl"), ...options);
    expect(status).toBe(1);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(stderr).toMatch(message);
  });

  it("says in one line that a port is taken, or is none", async () => {
    const { url } = await serve();
    const port = Number(new URL(url).port);
    const listen = (port: number) =>
      serveUntil(new AbortController().signal, createServer(), { port, host: "127.0.0.1" }, () => {});
    await expect(listen(port)).rejects.toThrow(`cannot listen on 127.0.0.1:${port} (EADDRINUSE)`);
    await expect(listen(70_000)).rejects.toThrow("cannot listen on 127.0.0.1:70000 (ERR_SOCKET_BAD_PORT)");
  });
});

describe("the data for verl", () => {
  it("have its columns and types, a row a node", async () => {
    const path = join(folder, "it's verl");
    await exportVerl(path, { training: states, validation: states.slice(0, 1) });
    expect(readdirSync(path).sort()).toEqual(["lse_reward.py", "train.parquet", "validation.parquet"]);
    expect(readFileSync(join(path, "lse_reward.py"), "utf8")).toContain("def compute_score(");
    const instance = await DuckDBInstance.create(":memory:");
    const connection = await instance.connect();
    const file = `'${join(path, "train.parquet").replaceAll("'", "''")}'`;
    const read = async (sql: string) => (await connection.runAndReadAll(sql)).getRowsJson();
    expect(
      (await read(`DESCRIBE SELECT * FROM ${file}`)).map(([name, type]) => [
        name,
        String(type).replaceAll('"', ""),
      ]),
    ).toEqual([
      ["data_source", "VARCHAR"],
      ["prompt", "STRUCT(role VARCHAR, content VARCHAR)[]"],
      ["ability", "VARCHAR"],
      ["reward_model", "STRUCT(style VARCHAR, ground_truth VARCHAR)"],
      ["extra_info", "STRUCT(split VARCHAR, index BIGINT, score DOUBLE, standard_error DOUBLE)"],
    ]);
    const rows = await read(
      `SELECT prompt[1].role, prompt[1].content, reward_model.ground_truth, extra_info.score FROM ${file} ORDER BY extra_info.index`,
    );
    expect(rows).toEqual(
      states.map(({ messages, run, node, score }) => [
        "user",
        messages[0]?.content,
        `${run.origin.replace("runs/", "")}/${node}`,
        score,
      ]),
    );
    expect(
      await read(`SELECT count(*) FROM '${join(path, "validation.parquet").replaceAll("'", "''")}'`),
    ).toEqual([["1"]]);
    connection.closeSync();
    instance.closeSync();
  });
});

/** `lse evolve FOLDER` and its neighbours, with a service that this process plays. */
import { existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, describe, expect, it } from "vitest";
import { LOCK } from "#lse/lib/folder-lock.js";
import { type Asked, ChatServer, type Treatment } from "../chat-server.js";
import { besideLse, lse } from "../cli.js";
import { bakery, questions, scratch } from "../workspace-folder.js";

const folder = scratch();
const { path } = folder;
afterAll(folder.remove);

const RULE = "- Add the number of the question.";

/** Answers right where the instructions have the rule that all questions need; its edits add that rule. */
function baker({ body }: Asked): Treatment {
  const [first, user] = (body.messages as { content: string }[]).map(({ content }) => content);
  if (user === undefined) return { text: `<prompt>${RULE}</prompt>` };
  // Examples come before the question that is asked.
  const number = [...user.matchAll(/Question (\d+)\?/g)].at(-1)?.[1] ?? "0";
  return {
    text: first?.includes(RULE)
      ? `<answer>SELECT count(*) + ${number} FROM cakes</answer>`
      : "<answer>SELECT 0 - 1</answer>",
  };
}

const start = (server: ChatServer, ...options: string[]) =>
  besideLse({ OPENAI_BASE_URL: `${server.url}/v1` }, ...options);

const OPTIONS = ["--model", "openai:small", "--rounds", "1", "--draws", "8", "--seed", "5", "--json"];

/** A workspace in a folder of its own, with its database beside it. */
async function workspace(name: string): Promise<string> {
  mkdirSync(path(name));
  return await bakery(path(name, "shop"), questions(12));
}

const treeIn = (own: string) => readFileSync(join(own, "runs", "001", "tree.json"), "utf8");

describe("a workspace's run", () => {
  it("that was killed and moved with its database goes on to the same tree, asking nothing twice", async () => {
    await using server = await ChatServer.start(baker);
    const [whole, killed] = [await workspace("whole"), await workspace("killed")];
    const unbroken = await start(server, "evolve", whole, ...OPTIONS).ended;
    expect(unbroken.status, unbroken.stderr).toBe(0);
    const all = server.asked.length;

    let isHeld = true;
    await using slow = await ChatServer.start((asked, n) => (isHeld && n > 7 ? "hang" : baker(asked)));
    const { child, ended } = start(slow, "evolve", killed, ...OPTIONS);
    const events = join(killed, "runs", "001", "events.jsonl");
    const paid = () =>
      existsSync(events) ? readFileSync(events, "utf8").match(/^{"type":"generation"/gm) : null;
    while ((paid()?.length ?? 0) < 7) await sleep(10);
    child.kill("SIGKILL");
    await ended;
    isHeld = false;
    renameSync(path("killed"), path("moved"));
    const own = path("moved", "shop");
    const before = slow.asked.length;
    // The service's address is part of the model's name: it stays.
    const resumed = await start(slow, "evolve", own).ended;
    expect(resumed.status, resumed.stderr).toBe(0);
    expect(resumed.stderr).toContain(`${join(own, "runs", "001")} goes on.`);
    expect(slow.asked.length - before).toBe(all - 7);
    expect(treeIn(own)).toBe(treeIn(whole));
    expect(readFileSync(join(own, "manual.md"), "utf8")).toBe(`${RULE}\n`);
    expect(existsSync(path("killed"))).toBe(false);
  });

  it("that failed at its first request begins anew with other options", async () => {
    let isDenied = true;
    await using server = await ChatServer.start((asked) => (isDenied ? { status: 401 } : baker(asked)));
    const own = await workspace("denied");
    const denied = await start(server, "evolve", own, ...OPTIONS).ended;
    expect(denied.status).toBe(1);
    expect(denied.stderr.trim().split("\n").at(-1)).toMatch(/^lse: openai:small at \S+: access was denied/);
    isDenied = false;
    const anew = await start(
      server,
      "evolve",
      own,
      ...OPTIONS.map((option) => (option === "5" ? "6" : option)),
    ).ended;
    expect(anew.status, anew.stderr).toBe(0);
    expect(JSON.parse(anew.stdout).run).toBe(join(own, "runs", "001"));
    const { evolve } = JSON.parse(readFileSync(join(own, "runs", "001", "config.json"), "utf8"));
    expect(evolve.seed).toBe(6);
  });

  it("keeps others out of the workspace while it goes on, but for questions", async () => {
    let isHeld = true;
    const isAsked = ({ body }: Asked) => JSON.stringify(body).includes("How many cakes?");
    await using server = await ChatServer.start((asked, n) =>
      isHeld && n > 3 && !isAsked(asked) ? "hang" : baker(asked),
    );
    const own = await workspace("held");
    const running = start(server, "evolve", own, ...OPTIONS);
    while (server.asked.length < 4) await sleep(10);

    const asked = await start(server, "ask", own, "How many cakes?", "--model", "openai:small").ended;
    expect(asked.status, asked.stderr).toBe(0);
    for (const refused of [
      ["evolve", own, "--model", "openai:small"],
      ["ask", own, "--feedback", "right"],
    ]) {
      const { status, stderr } = lse(...refused);
      expect(status, refused.join(" ")).toBe(1);
      expect(stderr).toMatch(/^lse: [^\n]*shop: `lse evolve` works here \(process \d+ on [^\n]*\n$/);
    }
    expect(lse("manual", own, "--history").status).toBe(0);
    isHeld = false;
    running.child.kill("SIGINT");
    expect((await running.ended).status).toBe(130);
    expect(existsSync(join(own, LOCK))).toBe(false);
    expect(lse("ask", own, "--feedback", "right")).toMatchObject({ status: 0, stderr: "" });
  });
});

import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { hashFile } from "#lse/lib/hash.js";
import { besideLse } from "../cli.js";
import { FileServer } from "../file-server.js";
import { describeWithModel, knownFile, REAL_MODELS, realModel } from "./models.js";

for (const { name } of REAL_MODELS) {
  describeWithModel(`the file of ${name}`, name, () => {
    it("is the one that `lse models get` fetches", async () => {
      const { bytes, sha256 } = knownFile(name);
      expect(statSync(realModel(name)).size).toBe(bytes);
      expect(await hashFile(realModel(name))).toBe(sha256);
    });
  });
}

describeWithModel("lse models get smollm2-135m", "smollm2-135m", () => {
  it("fetches it from a hub", async () => {
    await using server = await FileServer.open();
    const to = mkdtempSync(join(tmpdir(), "lse-real-"));
    try {
      const { path, url } = knownFile("smollm2-135m");
      const content = readFileSync(realModel("smollm2-135m"));
      server.serve(new URL(url).pathname, { content, etag: '"1"' });
      const environment = { HF_ENDPOINT: server.address, HF_TOKEN: undefined };
      const { ended } = besideLse(environment, "models", "get", "smollm2-135m", "--to", to);
      expect(await ended).toMatchObject({ status: 0, stdout: expect.stringContaining(join(to, path)) });
      expect(readFileSync(join(to, path)).equals(content)).toBe(true);
    } finally {
      rmSync(to, { recursive: true });
    }
  });
});

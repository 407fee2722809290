import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { extractTag } from "#lse/lib/extract.js";
import { describeWithShared, sharedPath } from "../shared.js";

describeWithShared("tags are extracted as by the published code", ["notes/reference_vectors.json"], () => {
  const vectors: [string, string][] = JSON.parse(
    readFileSync(sharedPath("notes/reference_vectors.json"), "utf8"),
  )["extract_from_tag(answer)"];

  it.each(vectors)("%s", (text, expected) => {
    expect(extractTag(text, "answer")).toBe(expected);
  });
});

it.each([
  ["the last pair wins over a draft", "<a>draft</a> then <a>final</a>", "final"],
  ["a nested tag stays inside", "<a>x <a>y</a> z</a>", "x <a>y</a> z"],
  ["an opening tag that is never closed does not count", "<a>one <a>two</a>", "two"],
  ["a stray closing tag at the end matches nothing", "<a>x</a> y</a>", ""],
  ["another tag is not looked at", "<b>x</b>", ""],
])("%s", (_name, text, expected) => {
  expect(extractTag(text, "a")).toBe(expected);
});

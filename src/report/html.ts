/** A page: one HTML document with its data, program and style in it, which reaches no network. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { ReportData } from "./types.js";

/** `npm run build:page` writes both. */
const program = () => readFileSync(new URL("./page.js", import.meta.url), "utf8");
const style = () => readFileSync(new URL("./page.css", import.meta.url), "utf8");

/**
 * The page as one document.
 * @param live whether the page asks for `data.json` beside it from time to time, and follows what has changed. The
 * page of a file may reach nothing at all.
 */
export function reportHtml(data: ReportData, live = false): string {
  const script = program();
  const hash = createHash("sha256").update(script).digest("base64");
  const policy = [
    "default-src 'none'",
    `script-src 'sha256-${hash}'`,
    "style-src 'unsafe-inline'",
    `connect-src ${live ? "'self'" : "'none'"}`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
  return `<!doctype html>
<html lang="en" data-live="${live}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escaped(titleOf(data))}</title>
<style>${style()}</style>
</head>
<body>
<div id="page"><noscript>This page draws itself with JavaScript.</noscript></div>
<script type="application/json" id="data">${embedded(data)}</script>
<script>${script}</script>
</body>
</html>
`;
}

export function titleOf({ runs, trainings }: ReportData): string {
  const names = [...runs, ...trainings].map(({ name }) => name);
  return `${names.slice(0, 3).join(", ")}${names.length > 3 ? ` and ${names.length - 3} more` : ""} · lse`;
}

/** JSON that cannot end the element it stands in: what models write may hold any tag. */
const embedded = (data: ReportData) => JSON.stringify(data).replaceAll("<", "\\u003c");

const escaped = (text: string) => text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);

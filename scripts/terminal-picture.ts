/**
 * Draws what a program prints, as a terminal shows it:
 *
 *   FORCE_COLOR=1 npm run --silent demo:real | npx tsx scripts/terminal-picture.ts docs/demo-real.png
 */
import { text } from "node:stream/consumers";
import { launchBrowser } from "../test/browser.js";

const [out] = process.argv.slice(2);
const browser = await launchBrowser();
if (out === undefined || browser === null) process.exit(1);
const COLOURS: Readonly<Record<string, string>> = { 31: "#f08a8a", 32: "#8fd694" };
const escaped = (await text(process.stdin)).replaceAll("&", "&amp;").replaceAll("<", "&lt;").trimEnd();
const ESCAPE = new RegExp(`${String.fromCharCode(27)}\\[(\\d+)m`, "g");
const html = escaped.replace(ESCAPE, (_, code: string) =>
  code in COLOURS ? `<span style="color: ${COLOURS[code]}">` : "</span>",
);
const page = await browser.newPage({ viewport: { width: 1100, height: 400 } });
await page.setContent(
  `<body style="margin: 0"><pre style="margin: 0; padding: 16px; background: #1e2127; color: #dcdfe4; font: 13px/1.45 monospace; white-space: pre-wrap">${html}</pre>`,
);
await page.screenshot({ path: out, fullPage: true });
await browser.close();

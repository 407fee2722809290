import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

const INSTALLED = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe",
];

/** A headless Chromium: the one that npm brings for Linux on x64, or one that is installed; null without either. */
export async function launchBrowser(): Promise<Browser | null> {
  if (process.platform === "linux" && process.arch === "x64") {
    const { default: packed } = await import("@sparticuz/chromium");
    return await chromium.launch({ executablePath: await packed.executablePath(), args: ["--no-sandbox"] });
  }
  const executablePath = INSTALLED.find((path) => existsSync(path));
  if (executablePath !== undefined) return await chromium.launch({ executablePath });
  console.log("skipped: pages in a browser (there is no Chromium here)");
  return null;
}

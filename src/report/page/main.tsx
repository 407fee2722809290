/** The page of `lse report` and `lse watch`: draws the data in it, and follows a run that goes on. */
import { render } from "preact";
import type { ReportData } from "../types.js";
import { App } from "./app.js";
import "./page.css";

const POLL_MS = 2000;

const root = document.getElementById("page") as HTMLElement;
const draw = (data: ReportData) => render(<App data={data} />, root);

draw(JSON.parse(document.getElementById("data")?.textContent ?? "") as ReportData);

if (document.documentElement.dataset.live === "true") {
  let version = "";
  const follow = async () => {
    try {
      const answer = await fetch("data.json", { headers: { "If-None-Match": version } });
      if (answer.status === 200) {
        version = answer.headers.get("ETag") ?? "";
        draw((await answer.json()) as ReportData);
      }
      document.documentElement.dataset.connection = "open";
    } catch {
      document.documentElement.dataset.connection = "lost";
    }
    setTimeout(follow, POLL_MS);
  };
  setTimeout(follow, POLL_MS);
}

/** `lse watch`: the page of runs, served while they go on. */
import { Command } from "@commander-js/extra-typings";
import { serveUntil } from "../lib/listen.js";
import { printableLine } from "../lib/printable.js";
import { reportServer } from "../report/serve.js";
import { ReportSource } from "../runs/report-source.js";
import { untilInterrupted } from "../terminal/interrupt.js";
import { port } from "./options.js";

const HOST = "127.0.0.1";

export function watchCommand() {
  return new Command("watch")
    .description("serve the page of runs on this machine, following them while they go on")
    .argument("<runs...>", "folders of runs or of trainings, or folders of such folders")
    .option("--port <number>", "port to listen on; 0 takes a free one", port, 0)
    .action(async (paths, options) => {
      await using source = new ReportSource(paths);
      for (const failure of await source.openTasks()) console.error(printableLine(failure));
      await untilInterrupted("The runs go on by themselves", (signal) =>
        serveUntil(signal, reportServer(source), { port: options.port, host: HOST }, (bound) =>
          console.log(`http://${HOST}:${bound.port} (Ctrl-C ends it)`),
        ),
      );
    });
}

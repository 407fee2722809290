/** `lse data` and `lse models`: downloading benchmarks and models, and converting models. */
import { Command } from "@commander-js/extra-typings";
import { formatBytes } from "../download/download.js";
import { stateInCache, wantedData, wantedModel } from "../download/get.js";
import { readDataManifest, readModelManifest } from "../download/manifest.js";
import { dataText, followDownload, modelText } from "../terminal/downloads.js";
import { textTable } from "../terminal/text-table.js";
import { quantizeCommand } from "./quantize.js";

export function dataCommand() {
  return new Command("data")
    .description("download benchmarks")
    .addCommand(
      new Command("list").description("what there is").action(() => {
        const rows = readDataManifest().map((entry) => {
          const bytes = "url" in entry.source ? entry.source.bytes : undefined;
          const size = bytes === undefined ? "" : formatBytes(bytes);
          return [entry.name, size, entry.licence, stateInCache("data", entry.name), entry.title];
        });
        console.log(textTable([["name", "size", "licence", "here", "what"], ...rows]));
      }),
    )
    .addCommand(
      new Command("get")
        .description("download a benchmark, or go on with it")
        .argument("<name>", "one of `lse data list`")
        .option("--to <folder>", "where to put it (a folder of its own in your cache folder)")
        .option("--offline", "only say what is there and what is missing")
        .action(async (name, { to, offline }) => {
          const wanted = wantedData(name, to);
          const paths = await followDownload(wanted, offline === true);
          if (paths !== null) console.log(dataText(wanted, paths));
        }),
    );
}

export function modelsCommand() {
  return new Command("models")
    .description("download models, and convert them")
    .addCommand(
      new Command("list").description("what there is").action(() => {
        const rows = readModelManifest().map(({ name, licence, quant, repository, title }) => {
          return [name, quant, licence, stateInCache("models", name), title, repository];
        });
        console.log(textTable([["name", "quant", "licence", "here", "what", "repository"], ...rows]));
      }),
    )
    .addCommand(
      new Command("get")
        .description("download a model, or go on with it")
        .argument("<name>", "one of `lse models list`")
        .option("--quant <name>", "quantisation, such as Q4_K_M (that of `lse models list`)")
        .option("--to <folder>", "where to put it (a folder of its own in your cache folder)")
        .option("--offline", "only say what is there and what is missing")
        .action(async (name, { quant, to, offline }) => {
          const wanted = wantedModel(name, quant, to);
          const paths = await followDownload(wanted, offline === true);
          if (paths !== null) console.log(modelText(wanted, paths));
        }),
    )
    .addCommand(quantizeCommand());
}

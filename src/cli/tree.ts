/** `lse tree`: the tree of a run. */
import { Command } from "@commander-js/extra-typings";
import { treeFromJson } from "../evolve/tree-file.js";
import { RunFolder } from "../journal/run-folder.js";
import { renderEdits, renderTree } from "../terminal/render-tree.js";

export function treeCommand() {
  return new Command("tree")
    .description("show a run's evolution tree and what each edit changed")
    .argument("<run>", "a run's folder")
    .option("--json", "print the tree as one JSON document")
    .action((run, options) => {
      const folder = RunFolder.open(run);
      const json = folder.readTree();
      const { tree } = treeFromJson(json, folder.treePath);
      if (options.json) {
        console.log(JSON.stringify(JSON.parse(json)));
        return;
      }
      console.log(renderTree(tree));
      if (tree.nodes.length > 1) console.log(`\n${renderEdits(tree)}`);
    });
}

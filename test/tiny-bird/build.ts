/** Builds two tiny databases in BIRD's own folder layout from the SQL and questions beside this file. */
import { copyFileSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "@photostructure/sqlite";

const DATABASES = ["bakery", "library"];

/** @param folder is made, or made anew: `dev.json` and `dev_databases/<name>/<name>.sqlite` */
export function buildTinyBird(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  for (const name of DATABASES) {
    const home = join(folder, "dev_databases", name);
    mkdirSync(home, { recursive: true });
    const db = new DatabaseSync(join(home, `${name}.sqlite`));
    db.exec(readFileSync(new URL(`${name}.sql`, import.meta.url), "utf8"));
    db.close();
  }
  copyFileSync(new URL("dev.json", import.meta.url), join(folder, "dev.json"));
}

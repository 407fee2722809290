/** The JSON schema of a run's configuration, for editors and for whoever writes a config.json. */
import { z } from "zod";
import { runConfigSchema } from "./config.js";

type Schema = {
  description?: string;
  properties?: Record<string, Schema>;
  oneOf?: Schema[];
  anyOf?: Schema[];
};

/** @param descriptions of fields, by their path such as "evolve.holdout" */
export function configSchema(descriptions: Iterable<readonly [field: string, text: string]>): object {
  const schema = z.toJSONSchema(runConfigSchema, { io: "input" }) as Schema;
  for (const [field, text] of descriptions) describe(schema, field.split("."), text);
  return { title: "A run of lse", ...schema };
}

function describe(schema: Schema, [first = "", ...rest]: readonly string[], description: string): void {
  for (const variant of [schema, ...(schema.oneOf ?? []), ...(schema.anyOf ?? [])]) {
    const property = variant.properties?.[first];
    if (property === undefined) continue;
    if (rest.length > 0) describe(property, rest, description);
    else property.description ??= description;
  }
}

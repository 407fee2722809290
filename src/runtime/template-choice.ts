/** Which chat template a model is asked with. */
import { z } from "zod";
import { LseError } from "../errors.js";
import { hashJson } from "../lib/hash.js";

/** The name of a template, and what it is told beside the messages. */
export const templateSettingsSchema = z.strictObject({
  /** One of several that the model comes with, or a built-in one: "chatml", "plain". */
  name: z.string().min(1).optional(),
  /** Values by name that the template knows, such as enable_thinking. */
  arguments: z
    .record(
      z.string().regex(/^(?!(messages|add_generation_prompt)$)[A-Za-z_]\w*$/, "no argument of a template"),
      z.union([z.string(), z.number(), z.boolean()]),
    )
    .optional(),
});
export type TemplateSettings = z.infer<typeof templateSettingsSchema>;

/** For models that come without one. */
const BUILT_IN: Readonly<Record<string, string>> = {
  chatml:
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}" +
    "{{ '<|im_start|>assistant\\n' }}",
  plain: "{% for m in messages %}{{ m.content + '\\n\\n' }}{% endfor %}",
};

/** The name of the template that is taken where none is asked for. */
export const DEFAULT_TEMPLATE = "default";

/**
 * The source of the template that a model is asked with.
 * @param own those that the model comes with, by name
 * @param field where they stand, for error messages, such as "m.gguf: field tokenizer.chat_template"
 * @throws LseError naming those that can be chosen, for a name that there is not and for a model without a template
 */
export function chosenTemplate(
  own: ReadonlyMap<string, string>,
  name: string | undefined,
  field: string,
): string {
  const source = own.get(name ?? DEFAULT_TEMPLATE) ?? (name === undefined ? undefined : BUILT_IN[name]);
  if (source !== undefined) return source;
  const others = [...own.keys(), ...Object.keys(BUILT_IN)].join(", ");
  throw name === undefined
    ? new LseError(
        `${field} is missing, as in base models`,
        `Use an instruction-tuned model, or choose a template with \`model.template.name\` (${others})`,
      )
    : new LseError(`${field}: there is no template ${JSON.stringify(name)}`, `Choose one of ${others}`);
}

/** The fingerprint of a model that is asked with such a template: other settings make other completions. */
export function fingerprintWith(model: string, { name, arguments: values = {} }: TemplateSettings): string {
  const given = Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1));
  return name === undefined && given.length === 0 ? model : hashJson([model, name ?? null, given]);
}

/** Models named by their service, such as `openai:gpt-5` and `anthropic:claude-sonnet-4-5`. */

export type ServiceName = "openai" | "anthropic";

const NAMED = /^(openai|anthropic):(.+)$/;

/** Whether a model is named so, and no path. */
export const isRemote = (name: string): boolean => NAMED.test(name);

/** @param name of which `isRemote` holds */
export function serviceAndModel(name: string): { service: ServiceName; model: string } {
  const [, service, model] = NAMED.exec(name) as unknown as [string, ServiceName, string];
  return { service, model };
}

/** How long a server asks to wait before the next request. */

/** The longest wait that is obeyed, in milliseconds: hubs and services count requests in windows of 5 minutes or less. */
export const LONGEST_RETRY_AFTER_MS = 10 * 60_000;

/**
 * Milliseconds that a server asks to wait, of at least 0; null when it does not say. Known are `retry-after-ms`,
 * `Retry-After` in seconds or as a date, and the time `t` of `ratelimit` where nothing remains (`r=0`).
 */
export function retryAfterMs(headers: Headers, now = Date.now()): number | null {
  const ms = numberIn(headers.get("retry-after-ms"));
  if (ms !== null) return ms;
  const after = headers.get("retry-after");
  const seconds = numberIn(after);
  if (seconds !== null) return seconds * 1000;
  const date = after === null || !/[a-z]/i.test(after) ? Number.NaN : Date.parse(after);
  if (!Number.isNaN(date)) return Math.max(0, date - now);
  const limit = headers.get("ratelimit") ?? "";
  const [, reset] = /;\s*t=(\d+)/.exec(limit) ?? [];
  const [, remaining] = /;\s*r=(\d+)/.exec(limit) ?? [];
  return reset === undefined || Number(remaining ?? 0) > 0 ? null : Number(reset) * 1000;
}

function numberIn(text: string | null): number | null {
  return text === null || !/^\s*\d+(\.\d+)?\s*$/.test(text) ? null : Number(text);
}

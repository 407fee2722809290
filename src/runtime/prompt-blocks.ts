/**
 * For engines that evaluate a prompt in blocks, counted from its start, to keep them for the next prompt. A block's
 * keys and values then come out of the same arithmetic whether an earlier request left them in the cache or not, so a
 * completion is the same to the bit in an unbroken run and in one that was killed and resumed.
 */

/** So many of `tokens` as fill blocks of this size. */
export const wholeBlocks = (tokens: number, block: number) => Math.floor(tokens / block) * block;

/** How many tokens two prompts begin with alike. */
export function commonPrefix(a: readonly number[], b: readonly number[]): number {
  const end = Math.min(a.length, b.length);
  let i = 0;
  while (i < end && a[i] === b[i]) i++;
  return i;
}

/** Exit code of a program that Ctrl-C ended. */
const INTERRUPTED = 130;

/**
 * Carries out work that Ctrl-C may end.
 * @param next what to do then, such as "Continue with `lse evolve --resume runs/x`"
 * @returns null when it was interrupted, which has been told then
 */
export async function untilInterrupted<T>(
  next: string,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T | null> {
  const interrupt = new AbortController();
  const onInterrupt = () => interrupt.abort();
  process.once("SIGINT", onInterrupt);
  try {
    return await work(interrupt.signal);
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
    console.error(`lse: interrupted. ${next}.`);
    process.exitCode = INTERRUPTED;
    return null;
  } finally {
    process.off("SIGINT", onInterrupt);
  }
}

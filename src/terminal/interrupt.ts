/** Work that Ctrl-C may end. */

/** Exit code of a program that Ctrl-C ended. */
const INTERRUPTED = 130;

/**
 * Carries out work that Ctrl-C may end cleanly.
 * @param next what to do then, such as "Continue with `lse evolve --resume runs/x`"
 * @param from "now", or "armed": until the work calls `arm`, Ctrl-C ends the process at once
 * @returns null when it was interrupted; that has been printed then
 */
export async function untilInterrupted<T>(
  next: string,
  work: (signal: AbortSignal, arm: () => void) => Promise<T>,
  from: "now" | "armed" = "now",
): Promise<T | null> {
  const interrupt = new AbortController();
  const onInterrupt = () => interrupt.abort();
  // Locks are released at the exit.
  const onEarlyInterrupt = () => process.exit(INTERRUPTED);
  const arm = () => {
    process.off("SIGINT", onEarlyInterrupt);
    process.once("SIGINT", onInterrupt);
  };
  if (from === "now") arm();
  else process.once("SIGINT", onEarlyInterrupt);
  try {
    return await work(interrupt.signal, arm);
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
    console.error(`lse: interrupted. ${next}.`);
    process.exitCode = INTERRUPTED;
    return null;
  } finally {
    process.off("SIGINT", onInterrupt);
    process.off("SIGINT", onEarlyInterrupt);
  }
}

/**
 * Runs a worker so many times at once. When one fails, the others are stopped and waited for.
 * @throws what the first failure threw
 */
export async function limited(
  count: number,
  signal: AbortSignal,
  worker: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const failure = new AbortController();
  const either = AbortSignal.any([signal, failure.signal]);
  const work = Array.from({ length: count }, async () => {
    try {
      await worker(either);
    } catch (error) {
      failure.abort(error);
    }
  });
  await Promise.all(work);
  failure.signal.throwIfAborted();
}

/** Work that was dropped, and does not end: a server that stands still must not keep a run from telling its end. */

/** How long dropped work is waited for. A program is ended ten seconds after its abort, and then nobody is told anything. */
const DROPPED_MS = 7000

/** @param abort of the run @throws what the work throws, and the abort's reason where the work has not ended some seconds behind it */
export async function unlessStuck<T>(work: Promise<T>, abort: AbortSignal, patienceMs = DROPPED_MS): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  let begin = (): void => undefined
  const late = new Promise<never>((_, reject) => {
    begin = () => {
      timer = setTimeout(() => reject(abort.reason as Error), patienceMs)
    }
  })
  if (abort.aborted) begin()
  else abort.addEventListener('abort', begin, { once: true })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
    abort.removeEventListener('abort', begin)
  }
}
